//! TensorBoard's event file: TFRecord framing around hand-encoded protobuf messages.
//!
//! A record is its length (u64, little endian), a masked CRC-32C of the length, the message, and a
//! masked CRC-32C of the message. Only scalar summaries are written.

use crate::Event;

/// The first record of a file.
#[must_use]
pub(crate) fn header() -> Vec<u8> {
    let mut message = Message::default();
    message.double(1, 0.0);
    message.bytes(3, b"brain.Event:2");
    frame(&message.0)
}

/// The records of one event: a scalar for each of its numbers.
#[must_use]
pub(crate) fn records(event: &Event) -> Vec<u8> {
    let scalars = scalars(event);
    if scalars.is_empty() {
        return Vec::new();
    }
    let mut summary = Message::default();
    for (tag, value) in scalars {
        let mut scalar = Message::default();
        scalar.bytes(1, tag.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "TensorBoard's scalars are f32")]
        scalar.float(2, value as f32);
        summary.bytes(1, &scalar.0);
    }
    let mut message = Message::default();
    message.double(1, event.time());
    message.varint(2, event.step());
    message.bytes(5, &summary.0);
    frame(&message.0)
}

fn scalars(event: &Event) -> Vec<(String, f64)> {
    let mut out: Vec<(String, f64)> = Vec::new();
    let mut put = |tag: String, value: Option<f64>| out.extend(value.map(|v| (tag, v)));
    match event {
        Event::Start(_) => {}
        Event::Rejection(e) => {
            for (task, t) in &e.tasks {
                put(format!("rejection/{task}/kept"), Some(t.kept as f64));
                let correct = t.correct as f64 / t.sampled as f64;
                put(format!("rejection/{task}/correct"), (t.sampled > 0).then_some(correct));
            }
        }
        Event::Supervised(e) => {
            for (name, value) in [
                ("loss", e.loss),
                ("grad_norm", e.grad_norm),
                ("lr", e.lr),
                ("epoch", e.epoch),
                ("examples", e.examples as f64),
                ("tokens", e.tokens as f64),
            ] {
                put(format!("supervised/{name}"), Some(value));
            }
            put("seconds/update".into(), Some(e.seconds));
            for (task, t) in &e.tasks {
                put(format!("{task}/supervised_loss"), Some(t.loss));
            }
        }
        Event::Step(e) => {
            for (name, value) in [
                ("loss", e.loss),
                ("kl", e.kl),
                ("clip_low", e.clip_low),
                ("clip_high", e.clip_high),
                ("grad_norm", e.grad_norm),
                ("lr", e.lr),
            ] {
                put(format!("train/{name}"), Some(value));
            }
            for (phase, seconds) in &e.seconds {
                put(format!("seconds/{phase}"), Some(*seconds));
            }
            for (task, t) in &e.tasks {
                put(format!("{task}/reward"), t.reward_mean);
                put(format!("{task}/reward_std"), t.reward_std);
                put(format!("{task}/entropy"), t.entropy);
                put(format!("{task}/mean_abs_advantage"), Some(t.mean_abs_advantage));
                put(format!("{task}/completion_length"), Some(t.completion_length));
                put(format!("{task}/truncated_fraction"), Some(t.truncated_fraction));
                put(format!("{task}/zero_variance_fraction"), Some(t.zero_variance_fraction));
                for (component, value) in &t.components {
                    put(format!("{task}/component/{component}"), *value);
                }
                for (k, value) in &t.pass_at_k {
                    put(format!("{task}/pass@{k}"), Some(*value));
                }
            }
        }
        Event::Eval(e) => {
            for (task, t) in &e.tasks {
                put(format!("{}/{task}/sampled", e.purpose), t.sampled.map(|x| x.mean));
                put(format!("{}/{task}/greedy", e.purpose), t.greedy.map(|x| x.mean));
                put(format!("{}/{task}/entropy", e.purpose), t.entropy);
            }
            for (domain, d) in &e.domains {
                let tag = format!("{}/domain {domain}", e.purpose);
                put(format!("{tag}/sampled"), d.sampled.map(|x| x.mean));
                put(format!("{tag}/greedy"), d.greedy.map(|x| x.mean));
            }
        }
    }
    out
}

#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u32, wire: u32) {
        self.raw_varint(u64::from(field << 3 | wire));
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u32, value: u64) {
        self.key(field, 0);
        self.raw_varint(value);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.key(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, field: u32, value: f32) {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, 2);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(message.len() + 16);
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(message);
    out.extend_from_slice(&masked_crc(message).to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvalEvent, StepEvent};

    #[test]
    fn the_header_is_what_tensorboard_writes() {
        // The first bytes of any file that TensorFlow writes, but for its time stamp (0 here):
        // length 24, its masked CRC, wall_time, file_version.
        let bytes = header();
        assert_eq!(&bytes[..12], &[0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(&bytes[12..21], &[0x09, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&bytes[21..36], b"\x1a\x0dbrain.Event:2");
        assert_eq!(bytes.len(), 12 + 24 + 4);
    }

    #[test]
    fn a_step_is_one_record_with_its_step_and_tags() {
        let event = Event::Step(StepEvent { step: 300, loss: 0.5, ..StepEvent::default() });
        let bytes = records(&event);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let message = &bytes[12..12 + length];
        assert_eq!(bytes.len(), length + 16);
        assert_eq!(&message[9..12], &[0x10, 0xac, 0x02], "step 300 as a varint");
        let tag = b"\x0a\x0atrain/loss\x15\x00\x00\x00\x3f";
        assert!(message.windows(tag.len()).any(|w| w == tag), "tag and the f32 0.5");
        let crc = u32::from_le_bytes(bytes[12 + length..].try_into().unwrap());
        assert_eq!(crc, masked_crc(message));
    }

    #[test]
    fn an_event_without_numbers_writes_nothing() {
        let event = Event::Eval(EvalEvent {
            step: 0,
            time: 0.0,
            purpose: "test".into(),
            temperature: None,
            tasks: Default::default(),
            seconds: 0.0,
            ..EvalEvent::default()
        });
        assert!(records(&event).is_empty());
    }
}
