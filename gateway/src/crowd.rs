//! How many questions are worked on at once, in all and for one person.

use mayag_protocol::identity::Identity;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The questions being worked on.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: usize,
    most_per_person: usize,
    now: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    per_person: BTreeMap<Identity, usize>,
}

/// The place of one question. Given back when it is dropped, so that a caller who goes away leaves no place taken.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    person: Identity,
}

impl Crowd {
    pub(crate) fn new(most: usize, most_per_person: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_person, now: Mutex::default() })
    }

    /// Takes a place for a question of `person`; `None` when there is none.
    pub(crate) fn enter(self: &Arc<Self>, person: &Identity) -> Option<Place> {
        let mut now = self.now.lock();
        let theirs = now.per_person.get(person).copied().unwrap_or(0);
        if self.most <= now.all || self.most_per_person <= theirs {
            return None;
        }
        now.all += 1;
        now.per_person.insert(person.clone(), theirs + 1);
        Some(Place { crowd: Arc::clone(self), person: person.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut now = self.crowd.now.lock();
        now.all = now.all.saturating_sub(1);
        let theirs = now.per_person.get(&self.person).copied().unwrap_or(0);
        if theirs <= 1 {
            now.per_person.remove(&self.person);
        } else {
            now.per_person.insert(self.person.clone(), theirs - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;
    use mayag_protocol::identity::Identity;

    #[test]
    fn places_are_counted_in_all_and_per_person_and_given_back() {
        let person = |id: &str| {
            format!("spiffe://demo/country/kr/analyst/{id}").parse::<Identity>().unwrap()
        };
        let (hana, min) = (person("hana"), person("min"));
        let crowd = Crowd::new(3, 2);
        let first = crowd.enter(&hana).unwrap();
        let _second = crowd.enter(&hana).unwrap();
        assert!(crowd.enter(&hana).is_none(), "two of one person");
        let _third = crowd.enter(&min).unwrap();
        assert!(crowd.enter(&min).is_none(), "three in all");
        drop(first);
        assert!(crowd.enter(&hana).is_some());
        assert_eq!(crowd.now.lock().all, 2);
        assert_eq!(crowd.now.lock().per_person.len(), 2);
    }
}
