//! What exit codes mean.

use std::fmt;

use serde::Serialize;

/// An exit code in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Explanation {
    code: u8,
    name: &'static str,
    meaning: &'static str,
    advice: &'static str,
}

/// What `code` means; none if no command ends with it.
pub(super) fn explain(code: u8) -> Option<Explanation> {
    CODES.iter().copied().find(|known| known.code == code)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}\n  {}\n  {}", self.code, self.name, self.meaning, self.advice)
    }
}

const fn code(
    code: u8,
    name: &'static str,
    meaning: &'static str,
    advice: &'static str,
) -> Explanation {
    Explanation { code, name, meaning, advice }
}

const CODES: [Explanation; 12] = [
    code(
        0,
        "ok",
        "Everything that was asked for was done; every check held.",
        "Without --genesis the export is only consistent in itself: name the digest to know whose it is.",
    ),
    code(
        1,
        "failure",
        "A file cannot be read or written, or a figure cannot be computed.",
        "Mend what the message names and run the command again.",
    ),
    code(
        2,
        "refused",
        "The rules of the consortium, or a bank's own policy, refuse the request.",
        "Nothing was done; the message names the rule.",
    ),
    code(
        3,
        "budget",
        "The privacy budget does not allow another release.",
        "The run can go on without this bank; a new budget is a decision of its privacy office.",
    ),
    code(
        4,
        "authentication",
        "A certificate, key or signature does not prove who it should.",
        "Compare the fingerprints with those that the consortium published.",
    ),
    code(5, "not found", "There is no such file, directory or record.", "Check the path."),
    code(
        6,
        "tampered",
        "Something is not what its signature, its digest, the rules or the replay say it must be.",
        "Keep the export as it is: it is the evidence. Ask for a second copy by another way and compare.",
    ),
    code(
        7,
        "omission",
        "A record with a receipt is not in the log, or a round's sum leaves out a contribution that was acknowledged.",
        "The receipt, or the log itself, proves it: show it to the other members.",
    ),
    code(
        8,
        "split view",
        "The log's key signed two histories that exclude each other.",
        "The two checkpoints prove it: counterfoil-audit prove RECEIPT --log EXPORT --out FILE puts them into one file; show it to the other members.",
    ),
    code(
        9,
        "incomplete evidence",
        "All that is there is right, but blobs that the log names are missing, so not every step could be replayed; or cosignatures that the policy asks for are.",
        "A plan may let vectors of old rounds be deleted (keep_contributions_rounds); otherwise ask for them. Of cosignatures, take a newer copy, or ask the witnesses.",
    ),
    code(
        10,
        "network",
        "The other side cannot be reached, or the connection broke.",
        "Nothing is lost; run the command again.",
    ),
    code(
        64,
        "usage",
        "The command line, or a file that it names, asks for nothing that can be done.",
        "Run it with --help.",
    ),
];
