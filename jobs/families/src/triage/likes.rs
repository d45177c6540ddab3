//! Earlier tickets of a client that say the same as this one, or came by the same message: candidates for a merge.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::gather::Gathered;
use crate::tickets::Key;

/// Most that a ticket is linked with.
const LIKES: usize = 3;

/// A ticket that looks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Like {
    pub(super) other: Uuid,
    /// `message_id` or `text`.
    pub(super) reason: &'static str,
    /// Bits in which the likeness of the texts differs; 0 where the message is the same.
    pub(super) distance: i16,
}

/// Those whose text differs in no more than `bits` bits, or that came by the same message; the likest first.
pub(super) fn likes(of: &Gathered, bits: u32) -> Vec<Like> {
    let mut likes = BTreeMap::new();
    for (other, hash) in &of.earlier {
        let distance = of.text.simhash.map(|own| (own ^ hash).count_ones());
        if let Some(distance) = distance.filter(|distance| *distance <= bits) {
            likes.insert(*other, ("text", distance as i16));
        }
    }
    for other in &of.same_message {
        likes.insert(*other, ("message_id", 0));
    }
    let mut likes: Vec<Like> = likes
        .into_iter()
        .map(|(other, (reason, distance))| Like {
            other,
            reason,
            distance,
        })
        .collect();
    likes.sort_by_key(|like| (like.distance, like.other));
    likes.truncate(LIKES);
    likes
}

/// A ticket that is sorted together with others.
pub(super) struct Member<'a> {
    pub(super) key: Key,
    pub(super) client: Uuid,
    /// How long after another it may still be the same.
    pub(super) within: TimeDelta,
    pub(super) gathered: &'a mut Gathered,
}

/// Tickets that are sorted together are earlier ones to each other, though nothing of them is written yet.
pub(super) fn acquaint(group: &mut [Member<'_>]) {
    let seen: Vec<_> = group
        .iter()
        .map(|it| {
            (
                (it.key, it.client),
                (it.gathered.opened, it.gathered.text.simhash),
            )
        })
        .collect();
    for it in group {
        let since = it.gathered.opened - it.within;
        let is_earlier = |((tenant, ticket), client): (Key, Uuid), opened| {
            (tenant, client) == (it.key.0, it.client)
                && ticket < it.key.1
                && since < opened
                && opened <= it.gathered.opened
        };
        let earlier = seen.iter().filter_map(|(whose, (opened, hash))| {
            let hash = (*hash).filter(|_| is_earlier(*whose, *opened))?;
            Some((whose.0.1, hash))
        });
        let earlier: Vec<_> = earlier.collect();
        it.gathered.earlier.extend(earlier);
    }
}

#[cfg(test)]
mod tests {
    use fleet_queue::TenantId;

    use super::*;
    use crate::triage::priority::Sender;
    use crate::triage::text::Text;

    fn gathered(text: &str, earlier: &[(u128, u32)], same_message: &[u128]) -> Gathered {
        let text = Text::of("", text);
        let own = text.simhash.unwrap_or_default();
        let off = |bits: u32| own ^ ((1_u64 << bits) - 1);
        Gathered {
            earlier: earlier
                .iter()
                .map(|(id, bits)| (Uuid::from_u128(*id), off(*bits)))
                .collect(),
            same_message: same_message.iter().copied().map(Uuid::from_u128).collect(),
            text,
            sender: Sender::default(),
            partner: None,
            opened: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn found(of: &Gathered) -> Vec<(u128, &'static str, i16)> {
        let likes = likes(of, 3).into_iter();
        likes
            .map(|like| (like.other.as_u128(), like.reason, like.distance))
            .collect()
    }

    #[test]
    fn the_likest_three_within_the_bits() {
        let of = gathered(
            "The invoice is wrong",
            &[(1, 3), (2, 4), (3, 0), (4, 2), (5, 1)],
            &[],
        );
        assert_eq!(found(&of), [(3, "text", 0), (5, "text", 1), (4, "text", 2)]);
    }

    #[test]
    fn the_same_message_is_the_likest_whatever_it_says() {
        let of = gathered("The invoice is wrong", &[(1, 2), (2, 0)], &[1, 9]);
        assert_eq!(
            found(&of),
            [(1, "message_id", 0), (2, "text", 0), (9, "message_id", 0)]
        );
    }

    #[test]
    fn those_of_a_group_are_earlier_ones_to_each_other() {
        let (own, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let mut texts: Vec<Gathered> = (0..6)
            .map(|_| gathered("The invoice is wrong", &[], &[]))
            .collect();
        texts[4].opened -= TimeDelta::hours(25);
        texts[5].opened += TimeDelta::hours(1);
        let whose = [
            (own, 2, 7),
            (own, 1, 7),
            (own, 3, 8),
            (other, 4, 7),
            (own, 5, 7),
            (own, 6, 7),
        ];
        let mut group: Vec<Member<'_>> = texts
            .iter_mut()
            .zip(whose)
            .map(|(gathered, (tenant, ticket, client))| Member {
                key: (tenant, Uuid::from_u128(ticket)),
                client: Uuid::from_u128(client),
                within: TimeDelta::hours(24),
                gathered,
            })
            .collect();
        acquaint(&mut group);
        let earlier = |n: usize| -> Vec<u128> {
            let earlier = texts[n].earlier.iter();
            earlier.map(|(ticket, _)| ticket.as_u128()).collect()
        };
        assert_eq!(earlier(0), [1], "of the same client, with a lower id");
        assert_eq!(earlier(1), [0; 0], "the first");
        assert_eq!((earlier(2), earlier(3)), (vec![], vec![]), "of others");
        assert_eq!(earlier(4), [0; 0], "a day and an hour before");
        assert_eq!(earlier(5), [2, 1], "not those of the day before");
    }

    #[test]
    fn texts_without_words_are_like_nothing() {
        assert_eq!(found(&gathered(" ... ", &[(1, 0)], &[])), []);
    }
}
