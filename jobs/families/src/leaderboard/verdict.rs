//! Who should rise and who should step down: the rules of promotion, as a function of how a partner stands.

use super::badges::last_top_rank;
use super::standing::{Standing, Week};
use super::thresholds::Promotions;

/// What the review would propose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Promote,
    Demote,
    Stay,
}

/// Up: the top for some weeks in a row, promises kept, nothing open against it. Down: well out of it for longer, or promises broken.
pub(super) fn judge(standing: &Standing, rules: &Promotions) -> Verdict {
    let inside = |week: &Week, share| {
        week.rank
            .is_some_and(|rank| rank <= last_top_rank(week.ranked, share, rules.min_ranked))
    };
    // A week without a rank proves nothing, in either direction.
    let outside = |week: &Week| {
        week.rank.is_some()
            && week.ranked >= rules.min_ranked
            && !inside(week, rules.demotion_share)
    };
    let all = |weeks: usize, holds: &dyn Fn(&Week) -> bool| {
        standing.weeks.len() >= weeks && standing.weeks.iter().take(weeks).all(holds)
    };
    let sla = standing.sla(rules);
    if standing.senior {
        let slipped = all(rules.demotion_weeks, &outside);
        let broke = sla.is_some_and(|share| share < rules.demotion_sla);
        return if slipped || broke {
            Verdict::Demote
        } else {
            Verdict::Stay
        };
    }
    let reliable = sla.is_some_and(|share| share >= rules.min_sla);
    let clean = standing.against.is_empty();
    let top = all(rules.weeks, &|week| inside(week, rules.top_share));
    if top && reliable && clean {
        Verdict::Promote
    } else {
        Verdict::Stay
    }
}

#[cfg(test)]
mod tests {
    use sqlx::types::Json;
    use uuid::Uuid;

    use super::*;

    fn weeks(ranks: &[i32]) -> Json<Vec<Week>> {
        let week = |rank: &i32| Week {
            rank: (*rank > 0).then_some(*rank),
            ranked: 100,
        };
        Json(ranks.iter().map(week).collect())
    }

    fn standard(ranks: &[i32]) -> Standing {
        Standing {
            partner_id: Uuid::nil(),
            senior: false,
            weeks: weeks(ranks),
            sla_met: 99,
            sla_total: 100,
            against: Vec::new(),
            pending: None,
            lately_rejected: false,
        }
    }

    fn senior(ranks: &[i32]) -> Standing {
        Standing {
            senior: true,
            ..standard(ranks)
        }
    }

    fn verdict(standing: &Standing) -> Verdict {
        judge(standing, &Promotions::default())
    }

    #[test]
    fn two_weeks_at_the_top_promote_and_one_does_not() {
        assert_eq!(verdict(&standard(&[10, 10])), Verdict::Promote);
        for ranks in [&[10][..], &[10, 11], &[11, 10], &[10, 0, 10], &[]] {
            assert_eq!(verdict(&standard(ranks)), Verdict::Stay, "{ranks:?}");
        }
    }

    #[test]
    fn each_obstacle_alone_bars_a_promotion() {
        let top = standard(&[1, 1]);
        let barred = [
            Standing {
                sla_met: 94,
                ..top.clone()
            },
            Standing {
                sla_met: 19,
                sla_total: 19,
                ..top.clone()
            },
            Standing {
                against: vec!["anomaly".to_owned()],
                ..top.clone()
            },
            Standing {
                against: vec!["escalation".to_owned()],
                ..top.clone()
            },
        ];
        for standing in barred {
            assert_eq!(verdict(&standing), Verdict::Stay, "{standing:?}");
        }
        assert_eq!(
            verdict(&Standing {
                sla_met: 95,
                ..top.clone()
            }),
            Verdict::Promote
        );
        assert_eq!(
            verdict(&Standing {
                sla_met: 20,
                sla_total: 20,
                ..top
            }),
            Verdict::Promote
        );
    }

    #[test]
    fn a_senior_goes_only_after_four_weeks_out_or_for_broken_promises() {
        assert_eq!(verdict(&senior(&[26, 99, 40, 26])), Verdict::Demote);
        for ranks in [
            &[26, 26, 26][..],
            &[26, 25, 99, 99],
            &[26, 26, 0, 26],
            &[11, 11, 11, 11],
        ] {
            assert_eq!(verdict(&senior(ranks)), Verdict::Stay, "{ranks:?}");
        }
        assert_eq!(
            verdict(&Standing {
                sla_met: 89,
                ..senior(&[1, 1])
            }),
            Verdict::Demote
        );
        assert_eq!(
            verdict(&Standing {
                sla_met: 90,
                ..senior(&[1, 1])
            }),
            Verdict::Stay
        );
        assert_eq!(
            verdict(&Standing {
                sla_met: 0,
                sla_total: 19,
                ..senior(&[1, 1])
            }),
            Verdict::Stay
        );
    }

    #[test]
    fn a_small_board_moves_nobody() {
        let small = |rank| {
            Json(vec![
                Week {
                    rank: Some(rank),
                    ranked: 9
                };
                4
            ])
        };
        assert_eq!(
            verdict(&Standing {
                weeks: small(1),
                ..standard(&[])
            }),
            Verdict::Stay
        );
        assert_eq!(
            verdict(&Standing {
                weeks: small(9),
                ..senior(&[])
            }),
            Verdict::Stay
        );
    }
}
