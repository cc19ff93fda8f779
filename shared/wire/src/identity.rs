//! Who a certificate speaks for.

use std::fmt;

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::{
    Error,
    digest::{from_hex, hex},
};

const SCHEME: &str = "counterfoil://";
const INSTITUTION_BYTES_MAX: usize = 32;

/// What an institution's certificate allows it to be. The roster decides whether it still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A member that trains.
    Bank,
    /// Whoever runs the coordinator.
    Operator,
    /// A member that reads everything and contributes nothing.
    Auditor,
    /// The coordinator itself; the only role of a server certificate.
    Coordinator,
}

impl Role {
    /// The role as it stands in a certificate.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Coordinator => "coordinator",
        }
    }

    /// The role of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "bank" => Some(Self::Bank),
            "operator" => Some(Self::Operator),
            "auditor" => Some(Self::Auditor),
            "coordinator" => Some(Self::Coordinator),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One institution in one role of one consortium.
///
/// Written in a certificate as its only URI name, `counterfoil://⟨genesis hex⟩/⟨role⟩/⟨institution⟩`;
/// one identity has one spelling. The certificate's subject and other names say nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    consortium: [u8; 32],
    role: Role,
    institution: String,
}

impl Identity {
    /// The identity of `institution` in the consortium whose Genesis has digest `consortium`.
    ///
    /// # Errors
    ///
    /// [`Error::Institution`] if the name is not 1 to 32 of a-z, 0-9 and '-', beginning with a letter.
    pub fn new(consortium: [u8; 32], role: Role, institution: &str) -> Result<Self, Error> {
        if !is_institution(institution) {
            // The name may be a peer's: say no more of it than a valid one could hold.
            let shown = institution.chars().take(INSTITUTION_BYTES_MAX).collect();
            return Err(Error::Institution(shown));
        }
        Ok(Self { consortium, role, institution: institution.to_owned() })
    }

    /// The identity that a URI names.
    ///
    /// ```
    /// use wire::{Identity, Role};
    /// let bank = Identity::new([0xab; 32], Role::Bank, "north-bank")?;
    /// assert_eq!(Identity::from_uri(&bank.uri())?, bank);
    /// # Ok::<(), wire::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] or [`Error::Institution`] for anything but the one spelling.
    pub fn from_uri(uri: &str) -> Result<Self, Error> {
        let path = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| Error::Identity(format!("its URI must begin with {SCHEME}")))?;
        let mut parts = path.splitn(3, '/');
        let consortium = parts.next().and_then(from_hex).ok_or_else(|| {
            Error::Identity("its consortium must be 64 lower-case hex digits".to_owned())
        })?;
        let role = parts.next().and_then(Role::parse).ok_or_else(|| {
            Error::Identity("its role must be bank, operator, auditor or coordinator".to_owned())
        })?;
        Self::new(consortium, role, parts.next().unwrap_or_default())
    }

    /// The identity in an X.509 certificate (DER). Total: any bytes give an identity or an error.
    ///
    /// Reads names only: that the certificate is genuine is the TLS handshake's to verify.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] if it is no certificate; [`Error::Identity`] or [`Error::Institution`]
    /// unless it has exactly one URI name and that name is an identity.
    pub fn from_certificate(der: &[u8]) -> Result<Self, Error> {
        Self::of(&certificate(der)?)
    }

    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Result<Self, Error> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|error| Error::certificate("subject alternative name", &error))?
            .ok_or_else(|| Error::Identity("it has no alternative names".to_owned()))?;
        let mut uris = names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::DNSName(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => None,
        });
        match (uris.next(), uris.next()) {
            (Some(uri), None) => Self::from_uri(uri),
            (None, _) => Err(Error::Identity("it has no URI name".to_owned())),
            (Some(_), Some(_)) => Err(Error::Identity("it has more than one URI name".to_owned())),
        }
    }

    /// The identity as a certificate writes it.
    pub fn uri(&self) -> String {
        format!("{SCHEME}{}/{}/{}", hex(&self.consortium), self.role, self.institution)
    }

    /// The digest of the consortium's Genesis.
    pub const fn consortium(&self) -> &[u8; 32] {
        &self.consortium
    }

    /// The role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The institution's name.
    pub fn institution(&self) -> &str {
        &self.institution
    }
}

impl fmt::Display for Identity {
    /// Role and name, as people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.institution)
    }
}

/// The certificate that `der` is, all of it.
pub(crate) fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(Error::certificate("certificate", "bytes follow it")),
        Err(error) => Err(Error::certificate("certificate", &error)),
    }
}

fn is_institution(name: &str) -> bool {
    name.len() <= INSTITUTION_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
