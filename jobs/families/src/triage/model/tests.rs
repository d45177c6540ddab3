//! The model as a whole: what it learns, keeps, refuses and says.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

fn go_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn example(text: impl Into<String>, label: &str) -> Example {
    Example {
        text: text.into(),
        label: label.to_owned(),
    }
}

/// Thirty texts of each of three labels, no two alike.
fn shop() -> Vec<Example> {
    let about = [
        (
            "refund",
            ["give my money back", "refund the order", "want a refund"],
        ),
        (
            "login",
            [
                "cannot log in",
                "password is refused",
                "locked out of my account",
            ],
        ),
        (
            "bug",
            ["page crashes", "button does nothing", "error when saving"],
        ),
    ];
    let mut examples = Vec::new();
    for (label, phrases) in about {
        for n in 0..30 {
            let text = format!("{} please, case {n}", phrases[n % 3]);
            examples.push(example(text, label));
        }
    }
    examples
}

fn trained(examples: &[Example]) -> Trained {
    train(examples, &go_on).expect("these can be trained on")
}

#[test]
fn learns_what_words_stand_for_and_says_why() {
    let Trained { model, holdout } = trained(&shop());
    let said = model.predict("I would like a refund of my money");
    assert_eq!(said.label, "refund");
    assert!(said.in_scope && said.confidence > 0.75, "{said:?}");
    assert_eq!(said.ranked.len(), 3);
    assert!((said.margin - (said.confidence - said.ranked[1].1)).abs() < 1e-9);
    let why = model.explain("I would like a refund of my money", "refund");
    assert!((1..=5).contains(&why.len()));
    assert!(
        why.iter().any(|(gram, _)| gram.contains("refund")),
        "{why:?}"
    );
    assert!(why.iter().all(|(_, much)| *much > 0.0));
    assert!(holdout.accuracy > 0.95, "{holdout:?}");
}

#[test]
fn sends_what_it_does_not_know_to_a_person() {
    let model = trained(&shop()).model;
    for strange in ["", "🦀🦀🦀", "wie wird das wetter morgen", "\0\u{feff}"] {
        let said = model.predict(strange);
        assert!(said.confidence < 0.75, "{strange:?}: {said:?}");
        assert!(!said.in_scope, "{strange:?}: {said:?}");
    }
    assert!(model.explain("", "refund").is_empty());
    assert!(model.explain("refund", "no such label").is_empty());
}

#[test]
fn trained_with_texts_outside_it_knows_them_better_and_never_predicts_them() {
    let mut examples = shop();
    for n in 0..30 {
        examples.push(example(format!("what is the weather in city {n}"), OUTSIDE));
    }
    let Trained { model, holdout } = trained(&examples);
    let said = model.predict("what is the weather in Graz");
    assert!(!said.in_scope && said.confidence < 0.5, "{said:?}");
    assert_ne!(said.label, OUTSIDE);
    assert!(holdout.oos_auroc > Some(0.95), "{holdout:?}");
    assert_eq!(holdout.in_scope, 90);
    assert_eq!(
        model.labels().collect::<Vec<_>>(),
        ["bug", "login", "refund"]
    );
}

#[test]
fn the_same_texts_give_the_same_model_to_the_byte() {
    let bytes = trained(&shop()).model.to_bytes();
    assert_eq!(trained(&shop()).model.to_bytes(), bytes);
    let read = Model::load(&bytes).expect("it was just written");
    assert_eq!(read.to_bytes(), bytes);
    let said = read.predict("my password does not work");
    assert_eq!(
        said,
        trained(&shop()).model.predict("my password does not work")
    );
}

#[test]
fn refuses_bytes_that_are_no_model_or_a_damaged_one() {
    let bytes = trained(&shop()).model.to_bytes();
    assert_eq!(Model::load(b"").err(), Some(ModelError::NoModel(0)));
    assert_eq!(Model::load(&[7; 99]).err(), Some(ModelError::NoModel(99)));
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(Model::load(&newer).err(), Some(ModelError::Format(9)));
    for at in [12, 50, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(
            matches!(Model::load(&damaged), Err(ModelError::Damaged(_))),
            "{at}"
        );
    }
    for length in [12, 44, 60, bytes.len() - 1] {
        assert!(Model::load(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn refuses_what_cannot_be_trained_on() {
    let refused = |examples: &[Example]| train(examples, &go_on).err();
    assert_eq!(refused(&[]), Some(TrainError::TooFewLabels(0)));
    let one = [example("a", "x"), example("b", "x"), example("c", OUTSIDE)];
    assert_eq!(refused(&one), Some(TrainError::TooFewLabels(1)));
    let many: Vec<_> = (0..=LABELS_MAX)
        .map(|n| example("a", &n.to_string()))
        .collect();
    assert_eq!(
        refused(&many),
        Some(TrainError::TooManyLabels(LABELS_MAX + 1))
    );
    let stopped = train(&shop(), &|_, _| ControlFlow::Break(()));
    assert_eq!(stopped.err(), Some(TrainError::Stopped));
}

#[test]
fn makes_do_with_one_example_a_label_and_trusts_itself_little() {
    let model = trained(&[example("pay me", "a"), example("log in", "b")]).model;
    let said = model.predict("pay me");
    assert_eq!(said.label, "a");
    assert!(said.confidence < 0.95, "{said:?}");
}

#[test]
fn contradicting_labels_cost_confidence() {
    let both = (0..40).map(|n| example("the very same text", if n % 2 == 0 { "a" } else { "b" }));
    let model = trained(&both.collect::<Vec<_>>()).model;
    assert!(model.predict("the very same text").confidence < 0.6);
}

#[test]
fn tells_how_far_it_is() {
    let most = std::sync::Mutex::new((0, 0));
    train(&shop(), &|done, all| {
        let mut most = most.lock().expect("one at a time");
        *most = (most.0.max(done), all);
        ControlFlow::Continue(())
    })
    .expect("these can be trained on");
    let (done, all) = *most.lock().expect("one at a time");
    assert!(all > 0);
    assert_eq!(done, all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the texts are, a model comes of them or a refusal, and its predictions are probabilities.
    #[test]
    fn anything_can_be_trained_on(
        texts in proptest::collection::vec((".{0,40}", 0_u8..4), 2..24),
        asked in ".{0,200}",
    ) {
        let examples: Vec<_> = texts
            .iter()
            .map(|(text, label)| example(text.clone(), &label.to_string()))
            .collect();
        let Ok(Trained { model, holdout }) = train(&examples, &go_on) else {
            return Ok(());
        };
        let said = model.predict(&asked);
        let sum: f64 = said.ranked.iter().map(|it| it.1).sum();
        prop_assert!(sum <= 1.0 + 1e-6 && said.confidence >= 0.0);
        prop_assert!(said.margin >= 0.0);
        prop_assert!((0.0..=1.0).contains(&holdout.ece));
        prop_assert!((0.0..=1.0).contains(&holdout.macro_f1));
        let read = Model::load(&model.to_bytes()).expect("it was just written");
        prop_assert_eq!(read.predict(&asked), said);
    }
}

#[test]
fn twenty_kilobytes_and_more_are_read_in_bounded_time() {
    let model = trained(&shop()).model;
    let long = "refund my money ".repeat(10_000);
    assert_eq!(model.predict(&long).label, "refund");
    let unbroken = "x".repeat(1_000_000);
    assert!(model.predict(&unbroken).confidence < 0.75);
}
