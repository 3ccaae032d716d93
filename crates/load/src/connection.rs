//! One client's connection: HTTP/1.1 with as little as possible between the request and the socket, so that the clients take
//! little of the machine that they share with what they measure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// An answer that takes longer ends the measurement.
const PATIENCE: Duration = Duration::from_secs(30);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Opened with the first request, and anew after the server has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    addr: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// What the head of an answer says of the rest.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes until the body begins.
    size: usize,
    /// Without one the body ends with the connection.
    length: Option<usize>,
    closes: bool,
}

impl Connection {
    pub(crate) fn new(addr: SocketAddr) -> Connection {
        Connection { addr, stream: None, buffer: Vec::new() }
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.addr)?,
        };
        stream.write_all(request).context("the request was not sent")?;
        self.buffer.clear();
        let head = loop {
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
            if more(&mut stream, &mut self.buffer)? == 0 {
                bail!("the connection ended before the answer's head");
            }
        };
        let end = head.length.map(|length| head.size + length);
        while end.is_none_or(|end| self.buffer.len() < end) {
            match (more(&mut stream, &mut self.buffer)?, end) {
                (0, Some(end)) => bail!("the answer ended {} bytes early", end - self.buffer.len()),
                (0, None) => break,
                _ => {}
            }
        }
        if !head.closes && end.is_some() {
            self.stream = Some(stream);
        }
        Ok(Reply { status: head.status, body: &self.buffer[head.size..] })
    }
}

impl Reply<'_> {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// The text of the first element of this name, which must need no unescaping.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    }

    /// `200`, or `403 AccessDenied`.
    pub(crate) fn outcome(&self) -> String {
        match self.element("Code") {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// How many bytes came; none at the end.
fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<usize> {
    let mut piece = [0; 8192];
    let length = stream.read(&mut piece).context("no answer")?;
    buffer.extend_from_slice(&piece[..length]);
    Ok(length)
}

fn head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).context("the answer's head is no text")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("the answer begins with `{first}`"))?;
    let mut head = Head { status, size: end + END_OF_HEAD.len(), length: None, closes: first.starts_with("HTTP/1.0") };
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Some(value.trim().parse().context("the answer's length is no number")?);
        } else if name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close") {
            head.closes = true;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the answer comes in chunks, which is not expected here");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_head_says() {
        let check = |text: &str, expected: Option<Head>| assert_eq!(head(text.as_bytes()).expect("a head"), expected);
        check("HTTP/1.1 200 OK\r\nContent-Le", None);
        let expected = Head { status: 200, size: 38, length: Some(3), closes: false };
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Some(expected));
        let expected = Head { status: 403, size: 26, length: None, closes: true };
        check("HTTP/1.0 403 Forbidden\r\n\r\n", Some(expected));
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
