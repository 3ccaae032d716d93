//! An error in one line, with what caused it.

use std::error::Error;

/// The error with its causes, each once: some errors repeat their source.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn each_cause_is_told_once() {
        let inner = Told { words: "refused", source: None };
        let middle = Told { words: "not reached: refused", source: Some(Box::new(inner)) };
        let outer = Told { words: "failed", source: Some(Box::new(middle)) };
        assert_eq!(causes(&outer), "failed: not reached: refused");
        assert_eq!(causes(&Told { words: "alone", source: None }), "alone");
    }
}
