//! Which faults a run tries: what a person writes after `--faults`.

use std::str::FromStr;

use trust::Link;

use crate::access::Cloud;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::fault::{Fault, is_word};
use crate::file::Scenario;
use crate::nearest;

/// Faults, as the sum of these terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<Term>);

/// A part of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    /// The scenario's own list.
    Default,
    /// All that concern the scenario's clouds.
    All,
    /// No fault.
    None,
    /// By id.
    Id(String),
    /// By the link that must break.
    Link(Link),
    /// By tag.
    Tag(String),
    /// By the folder that it lies in.
    Cloud(Cloud),
}

/// Why a text is no selection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSelection(String);

impl Default for Selection {
    fn default() -> Self {
        Self(vec![Term::Default])
    }
}

impl FromStr for Selection {
    type Err = BadSelection;

    fn from_str(text: &str) -> Result<Self, BadSelection> {
        text.split(',').map(|word| term(word.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn term(word: &str) -> Result<Term, BadSelection> {
    let Some((kind, value)) = word.split_once('=') else {
        return match word {
            "default" => Ok(Term::Default),
            "all" => Ok(Term::All),
            "none" => Ok(Term::None),
            id if is_word(id) => Ok(Term::Id(id.to_owned())),
            other => Err(BadSelection(format!(
                "`{other}` is no id of a fault; known besides ids: default, all, none, link=…, tag=…, cloud=…"
            ))),
        };
    };
    match kind {
        "link" => {
            let known = || Link::ALL.iter().map(|link| link.slug());
            let found = Link::ALL.into_iter().find(|link| link.slug() == value).map(Term::Link);
            found.ok_or_else(|| unknown("link", value, known().collect()))
        }
        "tag" if is_word(value) => Ok(Term::Tag(value.to_owned())),
        "tag" => Err(BadSelection(format!("`{value}` is no tag: lower-case letters, digits and dashes"))),
        "cloud" => match value {
            "aws" => Ok(Term::Cloud(Cloud::Aws)),
            "azure" => Ok(Term::Cloud(Cloud::Azure)),
            other => Err(unknown("cloud", other, vec!["aws", "azure"])),
        },
        other => Err(unknown("way to select faults", other, vec!["link", "tag", "cloud"])),
    }
}

fn unknown(what: &str, value: &str, known: Vec<&str>) -> BadSelection {
    let hint = nearest::hint(value, known.iter().copied());
    BadSelection(format!("no {what} `{value}`{hint} (known: {})", known.join(", ")))
}

impl Selection {
    /// Whether each fault here is one that the scenario itself names.
    pub fn is_default(&self) -> bool {
        self.0.iter().all(|term| *term == Term::Default)
    }

    /// Whether nothing is meant to be selected.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|term| *term == Term::None)
    }

    /// The faults that are named by their id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|term| match term {
            Term::Id(id) => Some(id.as_str()),
            _ => None,
        })
    }

    /// Whether it means a fault, apart from what scenarios name.
    pub fn means(&self, fault: &Fault) -> bool {
        self.0.iter().any(|term| match term {
            Term::Default | Term::None => false,
            Term::All => true,
            Term::Id(id) => *id == fault.id,
            Term::Link(link) => fault.expect.link() == Some(*link),
            Term::Tag(tag) => fault.tags.contains(tag),
            Term::Cloud(cloud) => fault.about == Some(*cloud),
        })
    }

    /// The faults that a scenario is tried with: first those that it names itself, then the others by id. One that is selected
    /// and means nothing to the scenario is left out.
    ///
    /// # Errors
    /// When a fault or a tag is unknown, or a file of the catalogue is wrong.
    pub fn of(&self, catalogue: &Catalogue, scenario: &Scenario) -> Result<Vec<Fault>, CatalogueError> {
        let mut faults: Vec<Fault> = Vec::new();
        if self.0.contains(&Term::Default) {
            for id in &scenario.refusals {
                faults.push(catalogue.fault(id)?);
            }
        }
        if self.0.iter().all(|term| matches!(term, Term::Default | Term::None)) {
            return Ok(faults);
        }
        let all = catalogue.all_faults()?;
        self.check(catalogue, &all)?;
        for fault in all {
            let wanted = self.means(&fault) && fault.fits(scenario) && fault.changes(scenario);
            if wanted && !faults.iter().any(|known| known.id == fault.id) {
                faults.push(fault);
            }
        }
        Ok(faults)
    }

    /// The faults that are meant whatever the scenario; `named` are those that scenarios name.
    ///
    /// # Errors
    /// As [`Selection::of`].
    pub fn in_catalogue(&self, catalogue: &Catalogue, named: &[String]) -> Result<Vec<Fault>, CatalogueError> {
        let mut all = catalogue.all_faults()?;
        self.check(catalogue, &all)?;
        let defaults = self.0.contains(&Term::Default);
        all.retain(|fault| self.means(fault) || (defaults && named.contains(&fault.id)));
        Ok(all)
    }

    /// Every id and tag must be known.
    fn check(&self, catalogue: &Catalogue, all: &[Fault]) -> Result<(), CatalogueError> {
        for id in self.ids() {
            catalogue.fault(id)?;
        }
        let mut known: Vec<&str> = all.iter().flat_map(|fault| fault.tags.iter().map(String::as_str)).collect();
        known.sort_unstable();
        known.dedup();
        for term in &self.0 {
            if let Term::Tag(tag) = term
                && !known.contains(&tag.as_str())
            {
                let hint = nearest::hint(tag, known.iter().copied());
                return Err(CatalogueError::UnknownTag { tag: tag.clone(), hint, known: known.join(", ") });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_a_sum_of_terms_and_slips_get_a_hint() {
        let check = |text: &str, expected: Result<usize, &str>| match (text.parse::<Selection>(), expected) {
            (Ok(selection), Ok(count)) => assert_eq!(selection.0.len(), count, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        };
        check("all", Ok(1));
        check("default, wrong-namespace,link=permitted,tag=slash,cloud=aws", Ok(5));
        check("link=permited", Err("did you mean `permitted`?"));
        check("cloud=gcp", Err("known: aws, azure"));
        check("lnk=permitted", Err("did you mean `link`?"));
        check("Wrong Namespace", Err("is no id of a fault"));
        check("", Err("is no id of a fault"));
    }
}
