//! Who looks, and what that one may see.

use ledger::record::{Institution, Role};

/// Who looks at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// An auditor sees everything.
    Auditor(Institution),
    /// A bank sees itself, and of the others what no list or figure counts.
    Bank(Institution),
    /// Whoever shows no certificate, where the operator lets the public in.
    Public,
}

impl Viewer {
    /// A member in the role that the roster gives it.
    pub(super) fn member(institution: Institution, role: Role) -> Self {
        match role {
            Role::Auditor => Self::Auditor(institution),
            Role::Bank => Self::Bank(institution),
        }
    }

    /// True if figures about `institution` alone are this viewer's to see.
    pub(super) fn sees(&self, institution: &str) -> bool {
        match self {
            Self::Auditor(_) => true,
            Self::Bank(own) => own.as_str() == institution,
            Self::Public => false,
        }
    }

    /// True if everything is this viewer's to see.
    pub(super) const fn sees_all(&self) -> bool {
        match self {
            Self::Auditor(_) => true,
            Self::Bank(_) | Self::Public => false,
        }
    }

    /// In words.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Auditor(name) => format!("auditor {name}"),
            Self::Bank(name) => format!("bank {name}"),
            Self::Public => "the public".to_owned(),
        }
    }
}
