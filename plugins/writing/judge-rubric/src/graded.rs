//! Grades by a model: each text alone, from 1 to 10, reasons first.
//!
//! A text is asked about once, however many comparisons it stands in: a group's reference is graded
//! once for the whole group. Nothing depends on which text stands first.

use omni_sdk::judge::{Answer, Comparison, Error, Question, Result, Turn, Verdict};
use omni_writing_judging::prompt::Prompt;
use omni_writing_judging::quote::Quotes;
use omni_writing_judging::reply::parse_grade;
use omni_writing_judging::shown::Shown;

/// What may stand in the prompt.
const KNOWN: [&str; 5] = ["question", "conversation", "rubric", "text", "mark"];

/// How a model is asked.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'a> {
    /// The prompt.
    pub prompt: &'a str,
    /// The temperature of the answers.
    pub temperature: f32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

impl Graded<'_> {
    /// Asks for the grades of all texts, or turns two grades (from 1 to 10) into a verdict.
    ///
    /// # Errors
    /// When the configuration makes no sense.
    pub fn decide(
        &self,
        comparisons: &[Comparison],
        answers: &[Answer],
        seed: u32,
        verdict: impl Fn(f64, f64) -> Verdict,
    ) -> Result<Turn> {
        if !(0.0..=2.0).contains(&self.temperature) || self.max_tokens == 0 {
            let message = "`config.temperature` lies between 0 and 2, and `config.max_tokens` is \
                           at least 1";
            return Err(Error::invalid_input(message));
        }
        let prompt = Prompt::read("prompt", self.prompt, &KNOWN, &["text"])?;
        // Where each comparison's two texts are asked about; none where a text is empty.
        let mut questions: Vec<Question> = Vec::new();
        let mut places = Vec::with_capacity(comparisons.len());
        for comparison in comparisons {
            let mut place = |text: &str| {
                let text = text.trim();
                (!text.is_empty()).then(|| {
                    let question = self.question(&prompt, comparison, text, seed);
                    questions.iter().position(|known| *known == question).unwrap_or_else(|| {
                        questions.push(question);
                        questions.len() - 1
                    })
                })
            };
            places.push((place(&comparison.first), place(&comparison.second)));
        }
        if answers.is_empty() && !questions.is_empty() {
            return Ok(Turn::Ask(questions));
        }
        if answers.len() != questions.len() {
            let message = format!("{} answers to {} questions", answers.len(), questions.len());
            return Err(Error::internal(message));
        }
        let grade = |place: Option<usize>| match place.map(|at| &answers[at]) {
            // Nothing written is worse than anything.
            None => Ok(0.0),
            Some(Answer::Failed(why)) => Err(why.clone()),
            Some(Answer::Text(reply)) => match parse_grade(reply) {
                Ok(hundredths) => Ok(f64::from(hundredths) / 100.0),
                Err(why) => Err(why.to_string()),
            },
        };
        let verdicts =
            places.into_iter().map(|(first, second)| match (grade(first), grade(second)) {
                (Ok(first), Ok(second)) => verdict(first, second),
                (Err(why), _) | (_, Err(why)) => Verdict::Undecided(why),
            });
        Ok(Turn::Done(verdicts.collect()))
    }

    fn question(
        &self,
        prompt: &Prompt<'_>,
        comparison: &Comparison,
        text: &str,
        seed: u32,
    ) -> Question {
        let mut texts = vec![text];
        texts.extend(comparison.conversation.iter().map(|message| message.content.as_str()));
        texts.extend(comparison.rubric.as_deref());
        let quotes = Quotes::new(seed, &texts);
        let shown = Shown::new(comparison, &quotes);
        let messages = prompt.fill(&[
            ("question", &shown.question),
            ("conversation", &shown.conversation),
            ("rubric", &shown.rubric),
            ("text", &quotes.quote("text", text)),
            ("mark", quotes.mark()),
        ]);
        Question { messages, max_tokens: self.max_tokens, temperature: self.temperature }
    }
}
