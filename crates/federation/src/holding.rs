//! What a sweep finds of the tool, in whichever cloud. Must not know how it is found.

use crate::Marks;

/// A thing that carries the tool's tag, with all that is a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding<Kind, Undo> {
    /// What it is.
    pub kind: Kind,
    /// Which one, as an inventory's item has it.
    pub id: String,
    /// Whose, and since when.
    pub marks: Marks,
    /// What takes it away, one after the other.
    pub undo: Vec<Undo>,
}
