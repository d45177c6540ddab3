//! What a ticket's clocks should be, from what the ticket is: pure, so that it can be asked again at any moment and gives the same.
//!
//! ```text
//!            waiting ┌────────┐ answered, resolved
//!   running ◄───────►│ paused │──────────────┐
//!      │ answered,   └────────┘              ▼
//!      ├─resolved in time──────────────────► met
//!      └─due_at passed first───────────────► breached
//! ```
//! A clock is decided once. Whether it was met is judged by when things happened, never by when somebody looked.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::calendar::Calendar;

/// Which promise.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// A first answer.
    FirstResponse,
    /// An answer to each message after that.
    NextResponse,
    /// An end.
    Resolution,
}

impl Promise {
    /// Its word in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstResponse => "first_response",
            Self::NextResponse => "next_response",
            Self::Resolution => "resolution",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::FirstResponse, Self::NextResponse, Self::Resolution]
            .into_iter()
            .find(|it| it.name() == word)
    }
}

/// Where a clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Running,
    Paused,
    Met,
    Breached,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Met => "met",
            Self::Breached => "breached",
        }
    }

    pub(crate) fn named(word: &str) -> Option<Self> {
        [Self::Running, Self::Paused, Self::Met, Self::Breached]
            .into_iter()
            .find(|it| it.name() == word)
    }
}

/// A clock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clock {
    pub(crate) promise: Promise,
    /// The message that waits for an answer; nil for the promises that a ticket has one of.
    pub(crate) message: Uuid,
    pub(crate) state: State,
    /// Business minutes.
    pub(crate) target: i32,
    /// Of these, how many ran before `since`.
    pub(crate) used: f64,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) due: Option<DateTime<Utc>>,
    /// 0, 75 or 90: the last warning that was given.
    pub(crate) warned: i16,
    pub(crate) decided: Option<DateTime<Utc>>,
}

/// What a ticket is, as far as its promises go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) opened: DateTime<Utc>,
    pub(crate) waiting: bool,
    pub(crate) closed: Option<DateTime<Utc>>,
    pub(crate) answered: Option<DateTime<Utc>>,
    /// The first message of the customer after the last answer, or after what a promise ended with instead; and when it came.
    pub(crate) unanswered: Option<(Uuid, DateTime<Utc>)>,
    /// The last answer.
    pub(crate) last_answer: Option<DateTime<Utc>>,
}

/// Business minutes for each promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Until the first answer.
    #[schemars(range(min = 1, max = 100_000))]
    pub first_response: u32,
    /// Until each further answer.
    #[schemars(range(min = 1, max = 100_000))]
    pub next_response: u32,
    /// Until the end.
    #[schemars(range(min = 1, max = 100_000))]
    pub resolution: u32,
}

impl Targets {
    fn of(self, promise: Promise) -> i32 {
        match promise {
            Promise::FirstResponse => self.first_response as i32,
            Promise::NextResponse => self.next_response as i32,
            Promise::Resolution => self.resolution as i32,
        }
    }
}

/// What is to be told of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    /// So many per cent of the time have gone.
    Warned(i16),
    Met,
    Breached,
}

/// A clock that is to be written, with what is to be told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) clock: Clock,
    pub(crate) news: News,
    /// When it must be looked at next.
    pub(crate) next: Option<DateTime<Utc>>,
}

/// Brings the clocks up to `now`; gives those that differ from what they were.
pub(crate) fn plan(
    facts: &Facts,
    clocks: &[Clock],
    targets: Targets,
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> Vec<Change> {
    let mut all: Vec<(Clock, Option<DateTime<Utc>>, bool)> = Vec::new();
    let find = |promise, message| {
        clocks
            .iter()
            .find(|it| it.promise == promise && it.message == message)
    };
    for (promise, met) in [
        (
            Promise::FirstResponse,
            earliest(facts.answered, facts.closed),
        ),
        (Promise::Resolution, facts.closed),
    ] {
        let known = find(promise, Uuid::nil());
        let clock = known
            .cloned()
            .unwrap_or_else(|| begin(promise, Uuid::nil(), facts.opened));
        all.push((clock, met, known.is_none()));
    }
    for clock in clocks
        .iter()
        .filter(|it| it.promise == Promise::NextResponse)
    {
        let waits = facts
            .unanswered
            .is_some_and(|(message, _)| message == clock.message);
        let met = if waits {
            facts.closed
        } else {
            earliest(facts.last_answer, facts.closed).or(Some(now))
        };
        all.push((
            clock.clone(),
            met.filter(|_| clock.decided.is_none()),
            false,
        ));
    }
    // An end or a breach decides the first promise as well as an answer does.
    let (first, met, _) = &all[0];
    let first = advance(first.clone(), *met, facts.waiting, targets, calendar, now).clock;
    if let Some((message, at)) = facts
        .unanswered
        .filter(|_| facts.answered.is_some() || first.decided.is_some())
        .filter(|_| facts.closed.is_none())
        && find(Promise::NextResponse, message).is_none()
    {
        all.push((begin(Promise::NextResponse, message, at), None, true));
    }
    let step = |(clock, met, is_new)| {
        let before: Clock = clock;
        let change = advance(before.clone(), met, facts.waiting, targets, calendar, now);
        (is_new || change.clock != before).then_some(change)
    };
    all.into_iter().filter_map(step).collect()
}

fn earliest(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn begin(promise: Promise, message: Uuid, at: DateTime<Utc>) -> Clock {
    Clock {
        promise,
        message,
        state: State::Running,
        target: 0,
        used: 0.0,
        since: Some(at),
        due: None,
        warned: 0,
        decided: None,
    }
}

fn advance(
    mut clock: Clock,
    met: Option<DateTime<Utc>>,
    waiting: bool,
    targets: Targets,
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> Change {
    if clock.decided.is_some() {
        return settled(clock, News::Nothing);
    }
    if clock.target == 0 {
        retarget(&mut clock, targets, calendar);
    }
    // By the target that held until now: a priority that is raised late breaks a promise now, and not backwards.
    if let Some(due) = clock
        .due
        .filter(|due| clock.since.is_some() && *due <= met.unwrap_or(now))
    {
        return decide(clock, State::Breached, due, News::Breached);
    }
    if let Some(met) = met {
        return decide(clock, State::Met, met, News::Met);
    }
    match (waiting, clock.since) {
        (true, Some(since)) => {
            clock.used += calendar.minutes_between(since, now);
            (clock.state, clock.since) = (State::Paused, None);
        }
        (false, None) => (clock.state, clock.since) = (State::Running, Some(now)),
        _ => {}
    }
    if clock.since.is_none() {
        clock.target = targets.of(clock.promise);
        return settled(clock, News::Nothing);
    }
    retarget(&mut clock, targets, calendar);
    if clock.due.is_some_and(|due| due <= now) {
        return decide(clock, State::Breached, now, News::Breached);
    }
    warn(clock, calendar, now)
}

fn retarget(clock: &mut Clock, targets: Targets, calendar: &Calendar) {
    let target = targets.of(clock.promise);
    if let Some(since) = clock.since {
        clock.due = Some(calendar.after(since, f64::from(target) - clock.used));
    }
    clock.target = target;
}

/// Gives the warning that is due, and says when the next threshold is.
fn warn(mut clock: Clock, calendar: &Calendar, now: DateTime<Utc>) -> Change {
    let since = clock.since.expect("it runs");
    let threshold = |share: i16| {
        calendar.after(
            since,
            f64::from(clock.target) * f64::from(share) / 100.0 - clock.used,
        )
    };
    let passed = [90, 75]
        .into_iter()
        .find(|share| threshold(*share) <= now)
        .unwrap_or(0);
    let news = if passed > clock.warned {
        News::Warned(passed)
    } else {
        News::Nothing
    };
    let warned = clock.warned.max(passed);
    let next = match warned {
        0 => Some(threshold(75)),
        75 => Some(threshold(90)),
        _ => clock.due,
    };
    clock.warned = warned;
    Change { clock, news, next }
}

fn decide(mut clock: Clock, state: State, at: DateTime<Utc>, news: News) -> Change {
    (clock.state, clock.since, clock.decided) = (state, None, Some(at));
    settled(clock, news)
}

fn settled(clock: Clock, news: News) -> Change {
    Change {
        clock,
        news,
        next: None,
    }
}

#[cfg(test)]
mod tests;
