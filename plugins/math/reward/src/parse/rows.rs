//! Environments of rows: matrices, systems of equations, aligned displays.

use super::Parser;
use crate::Fault;
use crate::lex::Token;
use crate::syntax::{Expr, Relation, Separator};

impl Parser {
    /// What is in a matrix or another environment of rows, up to its end.
    pub(super) fn rows(&mut self, environment: &str) -> Result<Expr, Fault> {
        let matrix = matches!(
            environment,
            "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix" | "array"
        );
        let system = matches!(
            environment,
            "cases" | "aligned" | "align" | "split" | "gathered" | "gather" | "equation" | "dcases"
        );
        if !matrix && !system && environment != "vmatrix" {
            return Err(Fault::Syntax);
        }
        let mut rows: Vec<Vec<Expr>> = vec![Vec::new()];
        loop {
            if self.peek() == Some(&Token::Command("end".to_owned())) {
                self.at += 1;
                break;
            }
            if self.eat('¶') {
                self.row_gap();
                rows.push(Vec::new());
                continue;
            }
            if self.eat('&') {
                continue;
            }
            let cell = if matrix { self.quantity()? } else { self.aligned_row()? };
            rows.last_mut().ok_or(Fault::Syntax)?.push(cell);
        }
        rows.retain(|row| !row.is_empty());
        if system {
            let mut members: Vec<Expr> = rows.into_iter().flatten().collect();
            return match members.len() {
                0 => Err(Fault::Syntax),
                1 => Ok(members.swap_remove(0)),
                _ => Ok(Expr::List(Separator::Comma, members)),
            };
        }
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) || !matrix {
            return Err(Fault::Syntax);
        }
        Ok(Expr::Matrix(rows))
    }

    /// The space asked for behind a row: `\\[6pt]`.
    fn row_gap(&mut self) {
        let gap = [self.peek_at(0), self.peek_at(1), self.peek_at(2), self.peek_at(3)];
        if let [
            Some(Token::Sign('[')),
            Some(Token::Number(_)),
            Some(Token::Word(unit)),
            Some(Token::Sign(']')),
        ] = gap
            && matches!(unit.as_str(), "pt" | "ex" | "em" | "mm" | "cm")
        {
            self.at += 4;
        }
    }

    /// A row of equations, in which `&` aligns; one that begins with a relation goes on with it.
    fn aligned_row(&mut self) -> Result<Expr, Fault> {
        let mut end = self.at;
        while let Some(lexeme) = self.tokens.get(end) {
            match &lexeme.token {
                Token::Sign('¶') => {
                    let mut next = end + 1;
                    while self.tokens.get(next).is_some_and(|l| l.token == Token::Sign('&')) {
                        next += 1;
                    }
                    match self.tokens.get(next).map(|lexeme| &lexeme.token) {
                        Some(Token::Sign(sign)) if Relation::of(*sign).is_some() => end += 1,
                        _ => break,
                    }
                }
                Token::Command(name) if name == "end" => break,
                _ => end += 1,
            }
        }
        let mut kept = 0;
        for at in self.at..end {
            if matches!(self.tokens[at].token, Token::Sign('&' | '¶')) {
                continue;
            }
            self.tokens.swap(self.at + kept, at);
            kept += 1;
        }
        self.tokens.drain(self.at + kept..end);
        let row = self.clause()?;
        self.eat(',');
        Ok(row)
    }
}
