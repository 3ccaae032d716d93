//! From an input that fails to a smaller one that fails. Must not know why.

/// How often it is tried.
const TRIES: usize = 3000;

/// The smallest input that is found by leaving pieces out, halves first.
pub fn shrink(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut piece = best.len() / 2;
    let mut tries = 0;
    while piece > 0 {
        let mut at = 0;
        while at < best.len() && tries < TRIES {
            let mut smaller = best.clone();
            smaller.drain(at..(at + piece).min(best.len()));
            tries += 1;
            if fails(&smaller) {
                best = smaller;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_is_not_needed() {
        let check = |input: &str, needed: &[&str], expected: &str| {
            let fails = |input: &[u8]| {
                let text = String::from_utf8_lossy(input);
                needed.iter().all(|part| text.contains(part))
            };
            assert_eq!(String::from_utf8_lossy(&shrink(input.as_bytes(), fails)), expected);
        };
        check("a long text with a needle in it", &["needle"], "needle");
        check("first one, then the other, then more", &["one", "other"], "oneother");
        check("", &[], "");
        check("nothing of it is needed", &[], "");
    }
}
