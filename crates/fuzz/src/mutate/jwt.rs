//! Changes to a token: to the JSON inside of a part, and to the parts themselves.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::{plain, tokens, words};
use crate::random::Random;
use crate::target::Language;

pub(super) fn mutate(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect();
    let others: Vec<&[u8]> = other.split(|byte| *byte == b'.').collect();
    let at = random.below(parts.len());
    let foreign = random.pick(&others).unwrap_or_default();
    match random.below(6) {
        0 => parts[at] = foreign.to_vec(),
        1 => parts.insert(at, foreign.to_vec()),
        2 => drop(parts.remove(at)),
        _ => {
            if let Ok(inside) = URL_SAFE_NO_PAD.decode(&parts[at]) {
                let donor = URL_SAFE_NO_PAD.decode(foreign).unwrap_or_default();
                let changed = if random.once_in(4) {
                    plain(inside, &donor, random)
                } else {
                    tokens::mutate(&inside, &donor, words::of(Language::Token), random)
                };
                // Now and then in an alphabet, or with a padding, that tokens must not have.
                parts[at] = match random.below(12) {
                    0 => STANDARD.encode(changed),
                    1 => URL_SAFE.encode(changed),
                    _ => URL_SAFE_NO_PAD.encode(changed),
                }
                .into_bytes();
            }
        }
    }
    parts.join(&b'.')
}
