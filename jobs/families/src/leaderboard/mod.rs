//! Leaderboards: who does best for their clients, computed fairly, published whole, shown as each subject allows.
//!
//! [`refresh`] is the job. It has a run built ([`build`]): anomalies are looked for ([`anomalies`]; a person clears them in
//! [`holds`]), sums are collected by subject and segment ([`collect`]), small samples drawn towards their segment's mean
//! ([`shrink`]), subjects judged ([`assess`]), scored and ranked ([`score`]). Then it moves the board's pointer to the finished run
//! ([`publish`]), together with badges ([`badges`]) and events ([`crate::event`]). Nobody ever reads a run that is not whole, and what
//! each may see is decided in one place ([`read`], over `fleet.leaderboard_shown`). [`promotion_review`] proposes changes of tier
//! that a person decides ([`promotion`]); [`prune`] removes what is no longer needed.
//!
//! Everything here is SQL over sets: no row of metrics passes through this process.

mod anomalies;
mod assess;
mod badges;
mod board;
mod build;
mod collect;
mod criteria;
mod holds;
mod period;
mod privacy;
mod promotion;
mod promotion_review;
mod prune;
mod publish;
mod read;
mod refresh;
mod score;
mod shrink;
mod standing;
mod thresholds;
mod verdict;

pub use board::{Board, BoardError, SubjectKind, create, find, list, load, set_criteria};
pub use build::{Built, build};
pub use criteria::{Criteria, FieldError};
pub use holds::{Hold, clear, list_holds};
pub use period::{Period, Window};
pub use privacy::{Viewer, Visibility, set_visibility};
pub use promotion::{Candidate, Decision, decide_candidate, list_candidates};
pub use promotion_review::{PromotionReview, Reviewed, review};
pub use prune::{Prune, Pruned, prune};
pub use publish::{Outcome, publish};
pub use read::{
    BoardPage, Cursor, Entry, PAGE_MAX, Rank, RunInfo, board_page, checksum_of, history, rank_of,
    staleness,
};
pub use refresh::{Refresh, Refreshed, refresh};
pub use shrink::{Prior, SegmentStats};
pub use thresholds::{Anomalies, Eligibility, PriorBounds, Promotions, Weights};
