//! How a model came to be, true, false and incomplete.

use std::process::Command;
use std::sync::LazyLock;

use audit::{Lineage, lineage};
use ledger::digest::sha256;
use ledger::record::{Body, Contribution, Leaf};

use crate::world::{BANKS, Export, HONEST, Story, World};

static TWICE: LazyLock<World> =
    LazyLock::new(|| World::play(Story { repeats: 1, ..Story::default() }));

fn of(export: &Export, model: u32) -> Lineage {
    lineage(&export.path, None, None, model)
}

fn sent(world: &World, name: &str, round: u32) -> Contribution {
    let found = world.leaves.iter().find_map(|leaf| {
        let Body::Accepted(sent) = leaf.body() else { return None };
        (sent.institution.as_str() == name && sent.round == round).then(|| sent.clone())
    });
    found.expect("it was accepted")
}

#[test]
fn a_model_is_led_back_to_its_contributions_and_the_seed() {
    let export = HONEST.export();
    for model in 0..4_u32 {
        let found = of(&export, model);
        assert_eq!((found.exit_code(), &found.finding), (0, &None));
        assert_eq!(found.models.len(), usize::try_from(model).expect("small") + 1);
        assert!(found.models.iter().all(|step| step.proved));
        let step = found.models.last().expect("a model");
        let Some(Body::Model(recorded)) =
            HONEST.leaves.get(usize::try_from(step.leaf).expect("small")).map(Leaf::body)
        else {
            panic!("a model at leaf {}", step.leaf)
        };
        assert_eq!((recorded.index, recorded.theta.to_string()), (model, step.weights.clone()));
        let Some(sum) = &step.sum else {
            assert_eq!(model, 0, "only the first is drawn");
            continue;
        };
        assert_eq!(sum.round + 1, model);
        let names: Vec<_> = sum.contributions.iter().map(|of| of.institution.as_str()).collect();
        assert_eq!(names, BANKS);
        // The sum anew, from the vectors in the export's own files.
        let mut total = vec![0_i64; export.read(&format!("blob/{}", sum.sha256)).len() / 8];
        for part in &sum.contributions {
            assert_eq!(part.vector, sent(&HONEST, &part.institution, sum.round).vector.to_string());
            let bytes = export.read(&format!("blob/{}", part.vector));
            for (total, chunk) in total.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *total += i64::from(i32::from_le_bytes(*chunk));
            }
        }
        let bytes: Vec<u8> = total.iter().flat_map(|total| total.to_le_bytes()).collect();
        assert_eq!(sha256(&bytes).to_string(), sum.sha256);
    }
}

#[test]
fn a_model_that_is_not_the_aggregate_is_named() {
    let export = World::play(Story { model_error: 1e-17, ..Story::default() }).export();
    assert_eq!(of(&export, 1).exit_code(), 0, "what came before holds");
    for model in [2, 3] {
        let found = of(&export, model);
        assert_eq!(found.exit_code(), 6);
        let place = found.finding.expect("a finding").place;
        assert!(place.ends_with("the master state of model 2"), "{place}");
    }
    let export = World::play(Story { sum_error: 1, ..Story::default() }).export();
    assert_eq!((of(&export, 1).exit_code(), of(&export, 2).exit_code()), (0, 6));
}

#[test]
fn a_missing_blob_counts_from_its_round_on() {
    let export = HONEST.export();
    let vector = sent(&HONEST, "birch", 1).vector;
    export.remove(&format!("blob/{vector}"));
    let codes: Vec<_> = (0..4).map(|model| of(&export, model).exit_code()).collect();
    assert_eq!(codes, [0, 0, 9, 9]);
    let found = of(&export, 3);
    let proved: Vec<_> = found.models.iter().map(|step| step.proved).collect();
    assert_eq!(proved, [true, true, false, true], "the step from the recorded sum is unproved");
    assert!(found.finding.expect("a finding").place.contains(&vector.to_string()));
}

#[test]
fn of_several_runs_one_is_chosen_and_answers_for_itself() {
    let export = TWICE.export();
    let unnamed = of(&export, 1);
    assert_eq!(unnamed.exit_code(), 64);
    let runs = export.verify().runs;
    let [first, second] = runs.as_slice() else { panic!("two runs") };
    let in_run = |run: &str| lineage(&export.path, None, Some(run), 3);
    let found = in_run(second.id.get(..9).expect("hex"));
    assert_eq!((found.exit_code(), found.run.as_ref()), (0, Some(&second.id)));
    assert_eq!(found.models.last().map(|step| &step.weights), second.model.as_ref());
    // A vector of the first run is missing: the second does not need it.
    let vector = sent(&TWICE, "alder", 0).vector;
    export.remove(&format!("blob/{vector}"));
    assert_eq!((in_run(&first.id).exit_code(), in_run(&second.id).exit_code()), (9, 0));
    assert_eq!(in_run("no").exit_code(), 5);
}

#[test]
fn what_is_not_there_is_not_found() {
    let export = HONEST.export();
    assert_eq!(of(&export, 4).exit_code(), 5);
    let other = sha256(b"another");
    assert_eq!(lineage(&export.path, Some(other), None, 1).exit_code(), 6);
    assert_eq!(lineage(&export.path.join("nowhere"), None, None, 1).exit_code(), 5);
}

#[test]
fn the_command_fits_on_a_screen() {
    let export = HONEST.export();
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil-audit"));
    let output = command.arg("replay").arg(&export.path).args(["--model", "3"]).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("replayed bit for bit, anchor not given"), "{text}");
    for word in ["alder leaf", "all 4 from the seed on", "sum of round 2", "learning_rate"] {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert!(text.lines().count() <= 24, "{text}");
}
