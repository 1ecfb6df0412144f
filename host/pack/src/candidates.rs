//! Candidate answers in full text: the reference among its distractors, shuffled.
//!
//! The order depends on the item's id alone, so that it is the same in every run, and the place of
//! the right answer says nothing: a policy that always takes the n-th gains nothing by it.

use serde_json::{Map, Value};

use crate::rows::RowError;

/// `reference` and the texts of `data.distractors`, in an order drawn from `id`; empty where either
/// is missing. Distractors that are the reference, an accepted answer or each other but for white
/// space are left out.
///
/// # Errors
/// When `data.distractors` is not a list of texts.
pub fn candidates(
    id: &str,
    reference: Option<&str>,
    data: &Map<String, Value>,
) -> Result<Vec<String>, RowError> {
    let Some(reference) = reference else { return Ok(Vec::new()) };
    let distractors = match data.get("distractors") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(distractors)) => distractors,
        Some(_) => return Err(RowError::new("data.distractors", "wants a list of texts")),
    };
    let mut shown = vec![reference.trim().to_owned()];
    let accepted = data.get("accepted").and_then(Value::as_array).into_iter().flatten();
    let mut taken: Vec<String> = accepted.filter_map(Value::as_str).map(spaced).collect();
    taken.push(spaced(reference));
    for distractor in distractors {
        let Value::String(text) = distractor else {
            return Err(RowError::new("data.distractors", "wants a list of texts"));
        };
        let bare = spaced(text);
        if !bare.is_empty() && !taken.contains(&bare) {
            taken.push(bare);
            shown.push(text.trim().to_owned());
        }
    }
    if shown.len() < 2 {
        return Ok(Vec::new());
    }
    shuffle(&mut shown, seed(id));
    Ok(shown)
}

/// What the `qa` reward makes equal by default: runs of white space.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// FNV-1a over the id's bytes, mixed by the first draw below.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Fisher and Yates, drawing from splitmix64.
fn shuffle<T>(items: &mut [T], mut state: u64) {
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut draw = state;
        draw = (draw ^ (draw >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        draw = (draw ^ (draw >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        draw ^= draw >> 31;
        // A handful of items against 2^64: the bias of the multiplication is of no account.
        let other = (u128::from(draw) * (last as u128 + 1)) >> 64;
        items.swap(last, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(id: &str, data: Value) -> Result<Vec<String>, RowError> {
        candidates(id, Some("four"), data.as_object().unwrap())
    }

    #[test]
    fn the_order_is_the_ids_and_every_place_is_as_likely() {
        let data = json!({"distractors": ["one", "two", "three"]});
        assert_eq!(of("x", data.clone()), of("x", data.clone()));
        let mut places = [0_u32; 4];
        for id in 0..4000 {
            let shown = of(&id.to_string(), data.clone()).unwrap();
            assert_eq!(shown.len(), 4);
            places[shown.iter().position(|it| it == "four").unwrap()] += 1;
        }
        // 1,000 each, with a standard deviation of 27.
        assert!(places.iter().all(|count| (890..1110).contains(count)), "{places:?}");
    }

    #[test]
    fn what_is_right_is_no_distractor() {
        let data = json!({
            "distractors": [" four ", "IV", "five", "five", "", "six\n six"],
            "accepted": ["IV"],
        });
        let mut shown = of("x", data).unwrap();
        shown.sort();
        assert_eq!(shown, ["five", "four", "six\n six"]);
        assert_eq!(of("x", json!({})).unwrap(), [""; 0]);
        assert_eq!(of("x", json!({"distractors": ["four"]})).unwrap(), [""; 0]);
        assert!(of("x", json!({"distractors": "five"})).is_err());
        assert!(of("x", json!({"distractors": [5]})).is_err());
    }
}
