//! Trust policies: what we take, and which witnesses are enough, against sigsum's. It has no verifier keys in its files but bare keys.

use std::fmt::Write as _;

use ledger::checkpoint::{Policy, PolicyError};
use ledger::signing::{Algorithm, VerifierKey};
use proptest::prelude::*;
use sigsum::Hash;

use crate::oracle::ours;

fn key(number: usize, algorithm: Algorithm) -> VerifierKey {
    let seed = [u8::try_from(number).unwrap(); 32];
    VerifierKey::new(format!("w.example/{number}"), algorithm, ours(seed).public()).unwrap()
}

fn witness(number: usize) -> VerifierKey {
    key(number, Algorithm::CosignatureV1)
}

/// A file with `%3` for the key of witness 3 and `@4` for that of log 4, for us and for them.
fn files(text: &str) -> (String, String) {
    let (mut ours, mut theirs) = (String::new(), String::new());
    for item in text.split_inclusive([' ', '\t', '\n']) {
        let end = item.trim_end_matches([' ', '\t', '\n']).len();
        let (word, space) = item.split_at(end);
        let found = match (word.strip_prefix('%'), word.strip_prefix('@')) {
            (Some(number), _) => number.parse().ok().map(witness),
            (_, Some(number)) => number.parse().ok().map(|n| key(n, Algorithm::Ed25519)),
            _ => None,
        };
        if let Some(found) = found {
            let _ = write!(ours, "{found}{space}");
            let _ = write!(theirs, "{}{space}", found.key());
        } else {
            ours.push_str(item);
            theirs.push_str(item);
        }
    }
    (ours, theirs)
}

fn read(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(files(text).0.as_bytes())
}

/// Whether each side finds these witnesses enough.
fn met(text: &str, cosigned: &[usize]) -> (bool, bool) {
    let (ours, theirs) = files(text);
    let policy = Policy::parse(ours.as_bytes()).unwrap();
    let has = |by: &VerifierKey| cosigned.iter().any(|number| witness(*number) == *by);
    let hashes: Vec<Hash> =
        cosigned.iter().map(|number| Hash::new(witness(*number).key().as_bytes())).collect();
    (policy.is_met(has), sigsum::Policy::parse(&theirs).unwrap().check_quorum(&hashes))
}

/// The example of the specification.
const EXAMPLE: &str = "log @9

witness X1 %1
witness X2 %2
witness X3 %3
group X-witnesses 2 X1 X2 X3

witness Y1 %4
witness Y2 %5
witness Y3 %6
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

#[test]
fn the_example_of_the_specification_asks_for_two_of_one_side_and_one_of_the_other() {
    for some in 0_usize..64 {
        let cosigned: Vec<usize> =
            (0..6).filter(|at| some >> at & 1 == 1).map(|at| at + 1).collect();
        let (of_x, of_y) = ((some & 7).count_ones(), (some >> 3).count_ones());
        let expected = of_x >= 2 && of_y >= 1;
        assert_eq!(met(EXAMPLE, &cosigned), (expected, expected), "{cosigned:?}");
    }
    let policy = read(EXAMPLE).unwrap();
    assert_eq!(policy.logs(), [key(9, Algorithm::Ed25519)]);
    assert_eq!(policy.witnesses().count(), 6);
}

#[test]
fn what_the_specification_forbids_is_refused_by_line() {
    let whole = "log @9 https://log.example\n\t witness a %1 \n# a comment\nwitness \u{e4} %2 url\ngroup g 1 a \u{e4}\nquorum g";
    read(whole).unwrap();
    assert!(read("quorum none\n").unwrap().is_met(|_| false));
    for (text, line) in [
        ("", 1),
        ("witness a %1\n", 2),
        ("quorum none\nquorum none\n", 2),
        ("quorum a\nwitness a %1\n", 1),
        ("witness a %1\nwitness b %1\nquorum none\n", 2),
        ("witness a %1\nwitness a %2\nquorum none\n", 2),
        ("witness none %1\nquorum none\n", 1),
        ("log @1\nlog @1\nquorum none\n", 2),
        // The key of a log for a witness, and the other way round.
        ("witness a @1\nquorum none\n", 1),
        ("log %1\nquorum none\n", 1),
        ("witness a %1\ngroup g 0 a\nquorum g\n", 2),
        ("witness a %1\ngroup g 2 a\nquorum g\n", 2),
        ("witness a %1\ngroup g +1 a\nquorum g\n", 2),
        ("witness a %1\ngroup g 01 a\nquorum g\n", 2),
        ("witness a %1\ngroup g any\nquorum g\n", 2),
        ("witness a %1\ngroup g any none\nquorum g\n", 2),
        ("witness a %1\ngroup g any g\nquorum g\n", 2),
        ("witness a %1\ngroup g all a a\nquorum g\n", 2),
        // One witness, counted in two groups.
        ("witness a %1\ngroup g all a\ngroup h all a\ngroup i 2 g h\nquorum i\n", 3),
        ("witness a %1 url more\nquorum a\n", 1),
        ("Quorum none\n", 1),
        ("quorum\u{a0}none\n", 1),
        ("quorum none\r\n", 1),
        ("# \u{7f}\nquorum none\n", 1),
        ("quorum none\u{c}\n", 1),
    ] {
        let refused = read(text).unwrap_err();
        assert_eq!(refused.line, line, "{text:?}: {refused}");
    }
    assert!(Policy::parse(&vec![b'\n'; 64 * 1024 + 1]).is_err());
}

/// Witnesses 1 to 6 named w1 to w6, groups of what is not in a group yet, and the last group as the quorum.
fn policy() -> impl Strategy<Value = String> {
    let group =
        (prop::collection::vec(any::<prop::sample::Index>(), 1..4), any::<prop::sample::Index>());
    prop::collection::vec(group, 0..6).prop_map(|groups| {
        let mut text = String::new();
        let mut free: Vec<String> = Vec::new();
        for at in 1..=6 {
            let _ = writeln!(text, "witness w{at} %{at}");
            free.push(format!("w{at}"));
        }
        let mut quorum = "w1".to_owned();
        for (number, (picks, least)) in groups.into_iter().enumerate() {
            let mut members = Vec::new();
            for pick in picks {
                if !free.is_empty() {
                    members.push(free.remove(pick.index(free.len())));
                }
            }
            if members.is_empty() {
                break;
            }
            let least = least.index(members.len()) + 1;
            quorum = format!("g{number}");
            let _ = writeln!(text, "group {quorum} {least} {}", members.join(" "));
            free.push(quorum.clone());
        }
        let _ = writeln!(text, "quorum {quorum}");
        text
    })
}

proptest! {
    #[test]
    fn the_same_witnesses_are_enough_for_both(text in policy(), some in 0_usize..64) {
        let cosigned: Vec<usize> = (0..6).filter(|at| some >> at & 1 == 1).map(|at| at + 1).collect();
        let (ours, theirs) = met(&text, &cosigned);
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    /// Lines dropped, doubled or swapped, words changed: we never take what they refuse.
    #[test]
    fn what_they_refuse_we_refuse(text in policy(), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), how in 0_u8..5) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        match how {
            0 => drop(lines.remove(one)),
            1 => lines.insert(other, lines[one].clone()),
            2 => lines.swap(one, other),
            3 => lines[one] = lines[one].replacen("w1", "w2", 1),
            _ => lines[one] = lines[one].replacen("group", "quorum", 1),
        }
        let changed = lines.join("\n") + "\n";
        let (ours, theirs) = files(&changed);
        if Policy::parse(ours.as_bytes()).is_ok() {
            prop_assert!(sigsum::Policy::parse(&theirs).is_ok(), "{}", changed);
        }
    }
}
