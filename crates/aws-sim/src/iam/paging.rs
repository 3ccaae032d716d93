//! Marker and MaxItems. A marker is opaque to clients; here it hides the name of the last item shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::ApiError;
use crate::query::{Parameters, Text, Validator, Xml};

/// One page of a listing that is sorted by name.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    marker: Option<String>,
}

/// How much of a listing is asked for.
#[derive(Debug)]
pub(super) struct Window {
    after: Option<String>,
    size: usize,
}

impl Window {
    pub(super) fn of(parameters: &Parameters) -> Result<Window, ApiError> {
        let mut check = Validator::new(parameters);
        let size = check.integer("MaxItems", 1..=1000).unwrap_or(100);
        let marker = check.optional("Marker", Text::of(1, 320));
        check.finish()?;
        let after = marker
            .map(|marker| URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
            .map(|name| name.ok_or_else(|| ApiError::validation("Invalid Marker.")))
            .transpose()?;
        Ok(Window { after, size: usize::try_from(size).unwrap_or(1) })
    }

    /// Cuts the page out of `items`, which come sorted by `name`.
    pub(super) fn cut<T>(&self, items: impl IntoIterator<Item = T>, name: impl Fn(&T) -> &str) -> Page<T> {
        let mut rest = items.into_iter().filter(|item| self.after.as_deref().is_none_or(|after| name(item) > after));
        let items: Vec<T> = rest.by_ref().take(self.size).collect();
        let more = rest.next().is_some();
        let marker = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)));
        Page { items, marker }
    }
}

impl<T> Page<T> {
    pub(super) fn write_end(&self, xml: &mut Xml) {
        xml.boolean("IsTruncated", self.marker.is_some());
        if let Some(marker) = &self.marker {
            xml.text("Marker", marker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_listing_once() {
        let all = ["a", "b", "c", "d", "e"];
        let mut seen = Vec::new();
        let mut form = "MaxItems=2".to_owned();
        loop {
            let window = Window::of(&Parameters::parse(Some(&form), b"")).expect("form must be valid");
            let page = window.cut(all, |item| item);
            seen.extend(page.items);
            let Some(marker) = page.marker else { break };
            form = format!("MaxItems=2&Marker={marker}");
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn refuses_sizes_and_markers_that_no_listing_gave() {
        for form in ["MaxItems=0", "MaxItems=1001", "MaxItems=x", "Marker=***"] {
            assert!(Window::of(&Parameters::parse(Some(form), b"")).is_err(), "{form}");
        }
        assert!(Window::of(&Parameters::parse(Some("MaxItems=1000"), b"")).is_ok());
    }
}
