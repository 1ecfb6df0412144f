//! What an item's `data` asks of an evaluation beyond one answer: later turns of a conversation, and
//! several sets of references.
//!
//! `turns` lists what the user says after each of the policy's answers. `references` names sets of
//! texts to compare with: a text, or one for each turn. A turn is asked as long as some set has a
//! text for it. What the policy said before stands in the conversation as the text of its answer,
//! without its thinking and its tags: that is what a reader would have seen, and what chat
//! templates of models that think keep of earlier turns.

use omni_record::{Item, Message, Role};
use serde_json::{Map, Value, json};

use crate::prompts::View;

/// An item's conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Conversation {
    later: Vec<String>,
    sets: Vec<(String, Vec<Option<String>>)>,
}

impl Conversation {
    /// Reads `data.turns` and `data.references`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn of(item: &Item) -> Result<Self, String> {
        let later = match item.data.get("turns") {
            None | Some(Value::Null) => Vec::new(),
            Some(turns) => texts(turns).and_then(|all| all.into_iter().collect()).ok_or(
                "`data.turns` must be a list of texts: what the user says after each answer",
            )?,
        };
        let none = Map::new();
        let sets = match item.data.get("references") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(sets)) => sets,
            Some(_) => return Err("`data.references` must be an object: set name to text".into()),
        };
        let sets = sets
            .iter()
            .map(|(name, set)| match set {
                Value::String(text) => Ok((name.clone(), vec![Some(text.clone())])),
                other => texts(other).map(|all| (name.clone(), all)).ok_or_else(|| {
                    format!("`data.references.{name}` must be a text, or a list of texts by turn")
                }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let conversation = Self { later, sets };
        if !conversation.sets.is_empty() && !conversation.has_reference(1) {
            return Err("no set of `data.references` has a text for the first turn".into());
        }
        Ok(conversation)
    }

    /// Turns that are asked; at least one.
    pub(super) fn turns(&self) -> u32 {
        1 + (2..=self.later.len() as u32 + 1).take_while(|turn| self.has_reference(*turn)).count()
            as u32
    }

    fn has_reference(&self, turn: u32) -> bool {
        self.sets.iter().any(|(_, texts)| reference(texts, turn).is_some())
    }

    /// The item as its answer at a turn is scored: once for each set that has a text for it.
    pub(super) fn views(&self, so_far: &Item, turn: u32) -> Vec<View> {
        let view = |(name, texts): &(String, Vec<Option<String>>)| {
            let text = reference(texts, turn)?;
            let mut item = Item { reference: Some(text.to_owned()), ..so_far.clone() };
            if let Value::Object(data) = &mut item.data {
                data.insert("turn".into(), turn.into());
                // A reward that picks a set by itself finds this one or none.
                data.insert("references".into(), json!({ name.clone(): text }));
            }
            Some(View { set: name.clone(), item })
        };
        self.sets.iter().filter_map(view).collect()
    }

    /// The conversation with the policy's answer to a turn, and what the user says to it.
    pub(super) fn follow(&self, so_far: &Item, turn: u32, output: &str) -> Option<Item> {
        let says = self.later.get(turn as usize - 1)?;
        let mut item = so_far.clone();
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        item.messages.push(message(Role::Assistant, &answer_text(output)));
        item.messages.push(message(Role::User, says));
        Some(item)
    }
}

/// What evaluating an item asks: answers of a policy, turn by turn, and how often those are judged
/// for each (once for each set of references that has a text for the turn).
///
/// # Errors
/// What is wrong with `data.turns` or `data.references`.
pub fn answers_of(item: &Item) -> Result<(u32, u32), String> {
    let conversation = Conversation::of(item)?;
    let turns = conversation.turns();
    if conversation.sets.is_empty() {
        return Ok((turns, turns));
    }
    let judged = (1..=turns).map(|turn| {
        conversation.sets.iter().filter(|(_, texts)| reference(texts, turn).is_some()).count()
    });
    Ok((turns, judged.sum::<usize>() as u32))
}

/// The text that a reader sees of an output: what stands in its last `<answer>` tags, or without
/// those all but its thinking.
pub(super) fn answer_text(output: &str) -> String {
    match omni_sdk::text::answer(output) {
        Some(answer) => answer.to_owned(),
        None => omni_sdk::text::without_thinking(output).trim().to_owned(),
    }
}

/// A list of texts, nulls standing for none.
fn texts(value: &Value) -> Option<Vec<Option<String>>> {
    let text = |value: &Value| match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    };
    value.as_array()?.iter().map(text).collect()
}

fn reference(texts: &[Option<String>], turn: u32) -> Option<&str> {
    texts.get(turn as usize - 1)?.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(data: Value) -> Item {
        let messages = vec![Message { role: Role::User, content: "Write.".into() }];
        Item { id: "81".into(), messages, reference: Some("own".into()), data }
    }

    #[test]
    fn a_turn_is_asked_while_some_set_has_a_text_for_it() {
        let turns = |data| Conversation::of(&item(data)).unwrap().turns();
        assert_eq!(turns(json!({})), 1);
        assert_eq!(turns(json!({ "turns": ["again", "more"] })), 1);
        assert_eq!(turns(json!({ "turns": ["again"], "references": { "a": "x" } })), 1);
        let sets = json!({ "a": "x", "b": ["x", "y", "z"] });
        assert_eq!(turns(json!({ "turns": ["again"], "references": sets })), 2);
        assert_eq!(turns(json!({ "turns": ["again", "more"], "references": sets })), 3);
        let hole = json!({ "b": ["x", null, "z"] });
        assert_eq!(turns(json!({ "turns": ["again", "more"], "references": hole })), 1);
    }

    #[test]
    fn each_set_is_a_view_with_its_reference_of_the_turn() {
        let data = json!({ "turns": ["again"], "references": { "a": "x", "b": ["x1", "x2"] } });
        let item = item(data);
        let conversation = Conversation::of(&item).unwrap();
        let views = |turn| {
            conversation
                .views(&item, turn)
                .into_iter()
                .map(|v| (v.set, v.item.reference.unwrap(), v.item.data["turn"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(conversation.views(&item, 1)[0].item.data["references"], json!({ "a": "x" }));
        let expected =
            [("a", "x", 1), ("b", "x1", 1)].map(|(s, r, t)| (s.into(), r.into(), json!(t)));
        assert_eq!(views(1), expected);
        assert_eq!(views(2), [("b".into(), "x2".into(), json!(2))]);
    }

    #[test]
    fn the_policys_answer_stands_in_the_conversation_without_its_thinking() {
        let item = item(json!({ "turns": ["again"], "references": { "a": ["x", "y"] } }));
        let conversation = Conversation::of(&item).unwrap();
        let next = |output| conversation.follow(&item, 1, output).unwrap().messages;
        let said = next("<think>hm <answer>no</answer></think>\n<answer> A poem. </answer>");
        assert_eq!(said.len(), 3);
        assert_eq!((said[1].role, said[1].content.as_str()), (Role::Assistant, "A poem."));
        assert_eq!((said[2].role, said[2].content.as_str()), (Role::User, "again"));
        assert_eq!(next("<think>hm</think> A poem.\n")[1].content, "A poem.");
        assert_eq!(next("<think>never ends")[1].content, "");
        assert_eq!(conversation.follow(&item, 2, "x"), None);
    }

    #[test]
    fn what_is_malformed_is_said() {
        for (data, word) in [
            (json!({ "turns": 3 }), "data.turns"),
            (json!({ "turns": ["a", null] }), "data.turns"),
            (json!({ "references": ["a"] }), "data.references"),
            (json!({ "references": { "a": 1 } }), "data.references.a"),
            (json!({ "references": { "a": [null, "y"] } }), "first turn"),
        ] {
            let error = Conversation::of(&item(data)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
