//! Who gets in: invitations, certificates and their revocation.

mod certificates;
mod invitations;

pub(crate) use certificates::Certificates;
pub(crate) use invitations::Invitations;
