//! What a refused or lost call asks of a person, in either cloud. Knows no codes: each cloud sorts its own.

/// What sort of trouble, that is: who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request will never be taken as it is, or something else stands in its way.
    Invalid,
    /// The thing is there already and is not ours. It is neither adopted nor deleted.
    Exists,
    /// A limit of the account or subscription.
    Quota,
    /// The caller has no right to it, or its credentials are no longer good.
    Denied,
    /// No answer, or one that says: later.
    Unavailable,
    /// Ours.
    Bug,
}
