//! `plan`: which order to train tasks in, from measured evidence.

use omni_curriculum::{
    Confidence, EntropyChange, Evidence, Order, Prediction, all_orders, exact, forgettability,
    greedy, local_search, upper_bound,
};
use serde_json::{Map, Value, json};

use crate::args::Plan;
use crate::console;
use crate::evidence::Measured;
use crate::fault::Outcome;

/// Orders of the table that people read.
const SHOWN: usize = 10;

/// What is known, and every order that was asked of it.
struct Planned {
    evidence: Evidence,
    entropy: Option<EntropyChange>,
    exact: Option<Prediction>,
    greedy: Prediction,
    forgettability: Prediction,
    /// Only where the exact order takes too much memory.
    local_search: Option<Prediction>,
    orders: Option<Vec<Prediction>>,
    confidence: Option<Confidence>,
    upper_bound: f64,
}

/// Reads, plans, shows.
pub(crate) fn run(plan: &Plan) -> Outcome<()> {
    let Measured { evidence, entropy, .. } = Measured::read(&plan.evidence)?;
    let planned = Planned::new(evidence, entropy, plan);
    if plan.json { console::json(&planned.json()) } else { console::result(planned.text()) }
}

impl Planned {
    fn new(evidence: Evidence, entropy: Option<EntropyChange>, plan: &Plan) -> Self {
        let predict = |order: Order| Prediction::of(&evidence, &order);
        let exact = exact(&evidence).map(predict);
        let local_search = exact.is_none().then(|| predict(local_search(&evidence)));
        let samples = plan.samples as usize;
        Self {
            greedy: predict(greedy(&evidence)),
            forgettability: predict(forgettability(&evidence)),
            orders: all_orders(&evidence),
            confidence: Confidence::from_standard_errors(&evidence, samples, plan.seed),
            upper_bound: upper_bound(&evidence),
            exact,
            local_search,
            entropy,
            evidence,
        }
    }

    fn names(&self, order: &[usize]) -> Vec<&str> {
        order.iter().map(|&task| self.evidence.tasks()[task].as_str()).collect()
    }

    fn probability(&self, order: &[usize]) -> Option<f64> {
        let confidence = self.confidence.as_ref()?;
        let standing = confidence.standings.iter().find(|standing| standing.order == order);
        Some(standing.map_or(0.0, |standing| standing.probability))
    }

    /// Pairs of task names that entropy holds against an order.
    fn flags(&self, order: &[usize]) -> Vec<[&str; 2]> {
        let flags = self.entropy.as_ref().map(|entropy| entropy.flags(order)).unwrap_or_default();
        let tasks = self.evidence.tasks();
        flags.iter().map(|it| [tasks[it.raising].as_str(), tasks[it.lowering].as_str()]).collect()
    }

    fn json(&self) -> Value {
        let one = |prediction: &Prediction| {
            let tasks = self.evidence.tasks().iter().zip(&prediction.accuracies);
            let predicted: Map<String, Value> =
                tasks.map(|(task, accuracy)| (task.clone(), json!(accuracy))).collect();
            let mut value = json!({
                "order": self.names(&prediction.order),
                "predicted": predicted,
                "score": prediction.score,
            });
            if let Some(probability) = self.probability(&prediction.order) {
                value["probability"] = json!(probability);
            }
            if self.entropy.is_some() {
                value["entropy_flags"] = json!(self.flags(&prediction.order));
            }
            value
        };
        let maybe = |prediction: &Option<Prediction>| prediction.as_ref().map_or(Value::Null, one);
        let orders: Option<Vec<Value>> =
            self.orders.as_ref().map(|orders| orders.iter().map(one).collect());
        let mut plan = json!({
            "exact": maybe(&self.exact),
            "greedy": one(&self.greedy),
            "forgettability": one(&self.forgettability),
            "local_search": maybe(&self.local_search),
            "orders": orders.unwrap_or_default(),
            "upper_bound": self.upper_bound,
        });
        if let Some(confidence) = &self.confidence {
            let alike = confidence.standings.iter().skip(1).filter(|it| it.is_indistinguishable());
            plan["indistinguishable_from_best"] =
                alike.map(|it| json!(self.names(&it.order))).collect();
        }
        plan
    }

    fn text(&self) -> String {
        let mut head = vec!["order", "gain %"];
        head.extend(self.evidence.tasks().iter().map(String::as_str));
        head.extend(self.confidence.is_some().then_some("best in %"));
        head.extend(self.entropy.is_some().then_some("entropy"));
        head.push("chosen by");
        let chosen = [
            ("exact", self.exact.as_ref()),
            ("local search", self.local_search.as_ref()),
            ("greedy", Some(&self.greedy)),
            ("forgettability", Some(&self.forgettability)),
        ];
        let mut shown: Vec<&Prediction> = Vec::new();
        let named = chosen.iter().filter_map(|(_, prediction)| *prediction);
        for prediction in self.orders.iter().flatten().take(SHOWN).chain(named) {
            if shown.iter().all(|it| it.order != prediction.order) {
                shown.push(prediction);
            }
        }
        shown.sort_by(|a, b| b.score.total_cmp(&a.score));
        let rows: Vec<Vec<String>> = shown
            .iter()
            .map(|prediction| {
                let order = self.names(&prediction.order).join(" → ");
                let mut row = vec![order, format!("{:.2}", 100.0 * prediction.score)];
                row.extend(prediction.accuracies.iter().map(|it| format!("{it:.4}")));
                let probability = self.probability(&prediction.order);
                row.extend(probability.map(|it| format!("{:.1}", 100.0 * it)));
                if self.entropy.is_some() {
                    let flags = self.flags(&prediction.order);
                    let flags = flags.iter().map(|[a, b]| format!("{a} before {b}"));
                    row.push(flags.collect::<Vec<_>>().join(", "));
                }
                let by = chosen
                    .iter()
                    .filter(|(_, it)| it.is_some_and(|it| it.order == prediction.order));
                row.push(by.map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
                row
            })
            .collect();
        let mut text = console::table(&head, &rows);
        text.push_str(&format!(
            "\ngain: weighted mean log gain over the base; no order can gain more than {:.2} %",
            100.0 * self.upper_bound
        ));
        if let Some(confidence) = &self.confidence {
            let alike = confidence.standings.iter().skip(1).filter(|it| it.is_indistinguishable());
            text.push_str(&format!(
                "\nthe best order is best in {:.1} % of {} samples; {} others cannot be told from it",
                100.0 * confidence.of_best(),
                confidence.samples,
                alike.count()
            ));
        }
        text
    }
}
