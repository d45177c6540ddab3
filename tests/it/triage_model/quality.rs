//! How good the model that ships is, on tickets it has not seen; the public sets are too large for here (see ops/bench/RESULTS.md).

use std::ops::ControlFlow;

use fleet_jobs::triage::model::{OUTSIDE, train};
use fleet_jobs::triage::shipped::{CATEGORIES, examples, is_category};

#[test]
fn the_tickets_that_ship_are_varied_and_of_the_categories() {
    let examples = examples();
    assert!(examples.len() >= 800, "{}", examples.len());
    assert!(examples.iter().all(|it| is_category(&it.label)));
    for category in CATEGORIES.into_iter().chain([OUTSIDE]) {
        let many = examples.iter().filter(|it| it.label == category).count();
        assert!(many >= 60, "{category}: {many}");
    }
    let mut texts: Vec<_> = examples.iter().map(|it| it.text.to_lowercase()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), examples.len(), "no ticket is there twice");
}

/// Not as good as the public sets, where a label has a hundred texts: what matters is that it knows what it does not know.
#[test]
fn the_model_that_ships_sends_its_mistakes_to_people() {
    let trained = train(&examples(), &|_, _| ControlFlow::Continue(())).unwrap();
    let holdout = trained.holdout;
    println!("{holdout:#?}");
    assert!(holdout.accuracy >= 0.55, "{}", holdout.accuracy);
    assert!(holdout.ece <= 0.10, "{}", holdout.ece);
    assert!(holdout.oos_auroc >= Some(0.88), "{:?}", holdout.oos_auroc);
    assert!(
        holdout.mistakes_to_review >= Some(0.8),
        "{:?}",
        holdout.mistakes_to_review
    );
    let sure = holdout.at["0.85"];
    assert!(sure.accuracy >= Some(0.9), "{sure:?}");
}
