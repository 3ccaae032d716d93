//! Changes to an input: bits and bytes, pieces of other inputs, and whole words of the target's language.
//! Must not know what any target makes of them.

mod jwt;
mod tokens;
mod words;

use crate::random::Random;
use crate::target::Language;

/// Inputs do not grow beyond this, in bytes.
pub const LIMIT: usize = 64 << 10;

/// A changed copy of `input`. `other` is a second input to take pieces from.
pub fn mutate(input: &[u8], other: &[u8], language: Language, random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        bytes = match (random.below(3), language) {
            (0, _) => plain(bytes, other, random),
            (_, Language::Token) => jwt::mutate(&bytes, other, random),
            (_, language) => tokens::mutate(&bytes, other, words::of(language), random),
        };
        bytes.truncate(LIMIT);
    }
    bytes
}

/// Changes that know no language.
fn plain(mut bytes: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    let length = bytes.len();
    match random.below(8) {
        0 if length > 0 => bytes[random.below(length)] ^= 1 << random.below(8),
        1 if length > 0 => {
            let at = random.below(length);
            bytes[at] = [0, 1, b' ', b'\n', b'"', 0x7f, 0x80, 0xc0, 0xff][random.below(9)];
        }
        2 => {
            let byte = random.bits().to_le_bytes()[0];
            bytes.insert(random.below(length + 1), byte);
        }
        3 => drop(bytes.drain(random.range(length, 32))),
        4 => bytes.truncate(random.below(length + 1)),
        5 => {
            let piece = bytes[random.range(length, 64)].to_vec();
            // Far more often than any person nests.
            let times = if random.once_in(8) { 1 + random.below(3000) } else { 1 + random.below(3) };
            let at = random.below(length + 1);
            bytes.splice(at..at, piece.repeat(times.min(LIMIT / piece.len().max(1))));
        }
        6 => {
            let piece = other[random.range(other.len(), other.len())].to_vec();
            let place = random.range(length, 64);
            bytes.splice(place, piece);
        }
        _ => {
            // The beginning of one, the end of the other.
            bytes.truncate(random.below(length + 1));
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_seed_makes_others() {
        let inputs = |seed: u64| -> Vec<Vec<u8>> {
            let mut random = Random::new(seed);
            let languages = [Language::Json, Language::Yaml, Language::Token];
            let make = |language: &Language| mutate(b"{\"a\": [1, 2]}", b"e30.e30.c2ln", *language, &mut random);
            languages.iter().cycle().take(300).map(make).collect()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }

    #[test]
    fn inputs_stay_small_and_empty_ones_are_no_dead_end() {
        let mut random = Random::new(7);
        let (mut grown, mut longest) = (0, 0);
        for _ in 0..300 {
            for language in [Language::Json, Language::Yaml, Language::Token] {
                grown += usize::from(!mutate(b"", b"", language, &mut random).is_empty());
                longest = longest.max(mutate(&[b'['; LIMIT], b"[]", language, &mut random).len());
            }
        }
        assert!(grown > 100, "{grown}");
        assert!(longest <= LIMIT, "{longest}");
    }
}
