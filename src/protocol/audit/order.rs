//! Numbers that should ascend: the fewest of them that stand out of order.
//!
//! Duty: naming the records that were moved, not those around them. Never: what a record says.

/// For each number whether it belongs to the longest strictly ascending row among them.
pub(super) fn in_order(numbers: &[u64]) -> Vec<bool> {
    // Of the rows of each length, the place of the one with the smallest end; and the place before each place.
    let mut ends: Vec<(u64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (place, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|(end, _)| end < number);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter)).map(|(_, place)| *place));
        match ends.get_mut(length) {
            Some(end) => *end = (*number, place),
            None => ends.push((*number, place)),
        }
    }
    let mut kept = vec![false; numbers.len()];
    let mut at = ends.last().map(|(_, place)| *place);
    while let Some(place) = at {
        kept.get_mut(place).into_iter().for_each(|kept| *kept = true);
        at = before.get(place).copied().flatten();
    }
    kept
}

#[test]
fn only_what_was_moved_is_out_of_order() {
    let out = |numbers: &[u64]| {
        let kept = in_order(numbers);
        numbers.iter().zip(kept).filter(|(_, kept)| !kept).map(|(number, _)| *number).collect::<Vec<_>>()
    };
    for (numbers, expected) in [
        (&[][..], &[][..]),
        (&[1, 2, 3], &[]),
        (&[1, 4, 3, 2, 5, 6], &[4, 3]),
        (&[5, 1, 2, 3, 4, 6], &[5]),
        (&[2, 3, 4, 5, 1], &[1]),
        (&[1, 2, 2, 3], &[2]),
        (&[3, 1, 2, 3, 4], &[3]),
    ] {
        assert_eq!(out(numbers).len(), expected.len(), "{numbers:?}: {:?}", out(numbers));
    }
    assert_eq!(out(&[5, 1, 2, 3, 4, 6]), [5]);
    assert_eq!(out(&[2, 3, 4, 5, 1]), [1]);
}
