//! What a process keeps because it will be asked for again: up to a weight in all, and of that what was used last.

/// Values by their keys, the least recently used first.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    most: usize,
    all: Vec<(K, V, usize)>,
}

impl<K: PartialEq, V: Clone> Kept<K, V> {
    /// Nothing yet, and later at most so much.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            all: Vec::new(),
        }
    }

    /// The value, which is now the one used last.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let at = self.all.iter().position(|(it, ..)| it == key)?;
        self.all[at..].rotate_left(1);
        self.all.last().map(|(_, value, _)| value.clone())
    }

    /// Keeps a value in place of the one with its key; what was not used for longest goes until there is room. One that is heavier
    /// than all that may be kept is kept alone.
    pub(super) fn put(&mut self, key: K, value: V, weight: usize) {
        self.all.retain(|(it, ..)| *it != key);
        let mut sum: usize = self.all.iter().map(|(_, _, weight)| weight).sum();
        let mut gone = 0;
        while gone < self.all.len() && sum + weight > self.most {
            sum -= self.all[gone].2;
            gone += 1;
        }
        self.all.drain(..gone);
        self.all.push((key, value, weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(kept: &Kept<&'static str, u8>) -> Vec<&'static str> {
        kept.all.iter().map(|(key, ..)| *key).collect()
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let mut kept = Kept::new(2);
        kept.put("in use", 1, 1);
        kept.put("other", 2, 1);
        assert_eq!(kept.get(&"in use"), Some(1));
        kept.put("new", 3, 1);
        assert_eq!(keys(&kept), ["in use", "new"]);
        assert_eq!(kept.get(&"other"), None);
    }

    #[test]
    fn a_newer_value_takes_the_place_of_the_older() {
        let mut kept = Kept::new(10);
        kept.put("a", 1, 4);
        kept.put("b", 2, 4);
        kept.put("a", 3, 6);
        assert_eq!(keys(&kept), ["b", "a"]);
        assert_eq!(kept.get(&"a"), Some(3));
    }

    #[test]
    fn the_weights_stay_within_what_may_be_kept() {
        let mut kept = Kept::new(10);
        for key in ["a", "b", "c"] {
            kept.put(key, 0, 4);
        }
        assert_eq!(keys(&kept), ["b", "c"]);
        kept.put("huge", 0, 11);
        assert_eq!(keys(&kept), ["huge"]);
    }
}
