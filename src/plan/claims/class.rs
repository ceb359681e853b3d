//! A module to a layer: by the rules of the layer's class, which may speak of the layers inside, or leave these to
//! the rules of their own classes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use smallvec::{SmallVec, smallvec};

use super::equation;
use super::expansion::{Claim, Expansion};
use super::order::{Outcome, Place};
use crate::keras::{FeatureOrder, Layer, Variable};
use crate::plan::derived::derive::{Dim, Found, tensor};
use crate::plan::faults::fault::FaultDetail;
use crate::plan::faults::hints;
use crate::plan::names::inside::children;
use crate::plan::names::module::Module;
use crate::plan::names::source::Matches;
use crate::plan::outcome::Provenance;
use crate::schema::{CaptureValue, Captures, Class, ClassVariable, Inside, LayerRule, NUMBER, Rule, Tables};
use crate::tensor::StateDictKey;

/// A layer that a rule leads to.
#[derive(Clone, Copy)]
pub(in crate::plan) struct Pairing<'a> {
    pub(in crate::plan) rule: &'a Rule,
    pub(in crate::plan) layer: &'a LayerRule,
    /// The class that the rule tells, or the class of the layer around it.
    pub(super) told: Option<&'a str>,
    /// The layer, as an index into the architecture's.
    pub(in crate::plan) at: usize,
    /// The layer that the rule itself leads to: that, or one around it.
    pub(super) outer: usize,
    /// What becomes of what the layers around it make, which is what this one makes.
    pub(super) outputs: &'a FeatureOrder,
}

/// The rules of a class that speak of a variable, each with its captures; mostly one.
type Speaking = SmallVec<[(usize, Captures); 1]>;

/// Tensors and variables that one rule of a class brings together.
#[derive(Default)]
struct Group {
    sources: Matches,
    targets: Matches,
}

/// A layer, its class, and the module whose tensors it gets.
struct Meeting<'a, 'm> {
    pair: Pairing<'a>,
    class: &'a Class,
    layer: &'a Layer,
    module: &'m Module,
    provenance: Provenance,
}

impl<'a> Expansion<'a> {
    /// Gives a layer, and those inside that its class speaks of, the tensors of a module.
    pub(super) fn pair(&mut self, pair: Pairing<'a>, module: &Module) {
        self.paired.insert(module.path().to_owned(), pair.at);
        let Some(class) = self.class_of(&pair, module) else { return };
        let Some(layer) = self.architecture.layers.get(pair.at) else { return };
        if !self.takes_groups(&pair, class, layer, module) {
            return;
        }
        let own = self.suffixed(class, module);
        let provenance =
            Provenance::Class { class: class.name.as_str().into(), rule: pair.rule.position.clone() };
        let meeting = Meeting { pair, class, layer, module: &own, provenance };
        // What a layer around others reads and makes, they read and make.
        if class.inside.is_empty() && !self.is_placed(&meeting) {
            return;
        }
        self.variables(&meeting);
        if !class.ignore.is_empty() {
            for (tensor, name) in self.source.below(&own) {
                if class.ignore.iter().any(|glob| glob.matches(name)) {
                    self.ignored.insert(tensor, meeting.provenance.clone());
                }
            }
        }
        for inside in &class.inside {
            self.inside(pair, module, inside);
        }
    }

    /// The module with the first of the class' suffixes under which it has tensors.
    fn suffixed(&self, class: &Class, module: &Module) -> Module {
        let has_any =
            |module: &Module| class.variables.iter().any(|known| self.source.has(module, &known.rule.torch));
        let mut all = class.suffixes.iter().map(|suffix| module.with_suffix(suffix));
        match class.suffixes.as_slice() {
            [_] => all.next(),
            _ => all.find(has_any),
        }
        .unwrap_or_else(|| module.clone())
    }

    /// The layers inside one that go by their own classes.
    fn inside(&mut self, around: Pairing<'a>, module: &Module, inside: &'a Inside) {
        let named = children(self.architecture, around.at);
        let named = named.into_iter().filter(|(name, _)| inside.keras.matches(name).is_some());
        for (number, (_, at)) in named.enumerate() {
            let number = Captures::from([(NUMBER.to_owned(), CaptureValue::Integer(number as u64))]);
            // The schema has been read with such a number, so that it can be put in.
            let Ok(torch) = inside.torch.substitute(&number, &Tables::new()) else { continue };
            let Some((before, after)) = torch.around_parameter() else { continue };
            let outputs = self.outputs(&around);
            let pair = Pairing { told: inside.class.as_deref(), at, outputs, ..around };
            self.pair(pair, &module.inside(before, after));
        }
    }

    /// Whether the class can be used where the layer stands; a fault otherwise.
    fn is_placed(&mut self, meeting: &Meeting<'a, '_>) -> bool {
        let Meeting { pair, class, layer, module, .. } = meeting;
        let position = &pair.rule.position;
        let place = self.place(meeting);
        if let Some((detail, hint)) = place.refused(class) {
            self.fault(position, detail, Some(hint));
            self.excuse(module, layer.variables.clone());
            self.excused.extend(place.variables().map(|(index, _)| index));
            return false;
        }
        for key in place.fitting() {
            let rule = std::ptr::from_ref(pair.rule).addr();
            let first = *self.mapped.entry((rule, key)).or_insert(pair.outer);
            if first != pair.outer {
                let (first, second) = (self.architecture.layers[first].path.clone(), layer.path.clone());
                let detail = FaultDetail::SeveralMaps { key, first, second };
                let hint = "write one rule for each layer, so that each says its own".to_owned();
                self.fault(position, detail, Some(hint));
                self.excuse(module, layer.variables.clone());
                return false;
            }
        }
        true
    }

    fn place(&self, meeting: &Meeting<'a, '_>) -> Place<'a> {
        let Meeting { pair, layer, .. } = meeting;
        let (scope, outputs) = (&pair.rule.scope, self.outputs(pair));
        Place {
            architecture: self.architecture,
            schema: self.schema,
            scope,
            rule: pair.layer,
            layer,
            outputs,
        }
    }

    /// What becomes of what a layer makes: the graph tells it of the outermost.
    fn outputs(&self, pair: &Pairing<'a>) -> &'a FeatureOrder {
        match self.architecture.layers.get(pair.at).map(|layer| &layer.outputs) {
            None | Some(FeatureOrder::Plain) => pair.outputs,
            Some(outputs) => outputs,
        }
    }

    /// The variables that the class' rules speak of.
    fn variables(&mut self, meeting: &Meeting<'a, '_>) {
        let Meeting { class, layer, .. } = meeting;
        let architecture = self.architecture;
        let mut groups: BTreeMap<(usize, Captures), Group> = BTreeMap::new();
        for index in layer.variables.clone() {
            let variable = &architecture.variables[index];
            let mut rules = speaking(class, &variable.name);
            if rules.is_empty() {
                rules.extend(self.by_number(meeting, variable).map(|at| (at, Captures::new())));
            }
            if rules.is_empty() {
                self.unknown(meeting, index);
                continue;
            }
            self.one_rule(meeting, index, rules, &mut groups);
        }
        if class.variables.iter().any(ClassVariable::is_inside) {
            for (name, child) in children(architecture, meeting.pair.at) {
                for index in architecture.layers[child].variables.clone() {
                    let rules = speaking(class, &format!("{name}/{}", architecture.variables[index].name));
                    if !rules.is_empty() {
                        self.one_rule(meeting, index, rules, &mut groups);
                    }
                }
            }
        }
        for ((at, _), Group { sources, targets }) in groups {
            let Some(known) = class.variables.get(at) else { continue };
            if targets.iter().any(|(captures, _)| !captures.is_empty()) {
                self.ordered(meeting, known, sources, targets);
                continue;
            }
            let mut targets = targets.into_iter();
            let last = targets.next_back();
            for target in targets {
                self.ordered(meeting, known, sources.clone(), smallvec![target]);
            }
            if let Some(last) = last {
                self.ordered(meeting, known, sources, smallvec![last]);
            }
        }
    }

    /// The rule of the class for a variable of a template that does not tell the class, or the name, and so has a
    /// number for one.
    fn by_number(&self, meeting: &Meeting<'a, '_>, variable: &Variable) -> Option<usize> {
        let Meeting { pair, class, layer, .. } = meeting;
        let is_number = variable.name.bytes().all(|letter| letter.is_ascii_digit());
        let untold = layer.class.is_none() || layer.class_from_name && pair.told.is_some() || is_number;
        let all = class.variables.len() == layer.variables.len();
        // The one that every layer of such a class has, without the bias.
        let kernel = layer.variables.len() == 1
            && class.variables.first().is_some_and(|first| first.name() == "kernel");
        (untold && (all || kernel) && variable.index < class.variables.len()).then_some(variable.index)
    }

    fn unknown(&mut self, meeting: &Meeting<'a, '_>, index: usize) {
        let Meeting { pair, class, layer, .. } = meeting;
        let variables = &self.architecture.variables;
        let variable = &variables[index];
        // Keras' own bookkeeping, which no module has.
        if variable.initial.is_some() {
            return;
        }
        let detail =
            FaultDetail::UnknownVariable { variable: variable.path.clone(), class: class.name.clone() };
        let is_quantized = layer
            .variables
            .clone()
            .any(|own| variables.get(own).is_some_and(|own| hints::is_quantized(own.dtype)));
        let hint = match is_quantized {
            true => hints::QUANTIZED,
            false => "bind it with a [[tensor]] rule, or name it in [class]",
        };
        self.fault(&pair.rule.position, detail, Some(hint.to_owned()));
        self.excused.insert(index);
    }

    /// Chooses among the rules for a variable the one that the module has tensors for.
    fn one_rule(
        &mut self,
        meeting: &Meeting<'a, '_>,
        index: usize,
        rules: Speaking,
        groups: &mut BTreeMap<(usize, Captures), Group>,
    ) {
        let Meeting { pair, class, module, .. } = meeting;
        let known = |at: &usize| class.variables.get(*at);
        // Where there is but one, its tensors are looked for below.
        let is_alone = rules.len() == 1;
        let has = |known: &ClassVariable| is_alone || self.source.has(module, &known.rule.torch);
        let found: SmallVec<[&(usize, Captures); 1]> =
            rules.iter().filter(|(at, _)| known(at).is_some_and(has)).collect();
        let (at, captures) = match found.as_slice() {
            [] => return self.lack(meeting, index, &rules),
            [one] => one,
            several => {
                let rivals = || several.iter().filter_map(|(at, _)| known(at));
                let names = rivals().flat_map(|known| self.source.names(module, &known.rule.torch));
                let keys: Vec<StateDictKey> = names.map(StateDictKey::new).collect();
                let variable = self.architecture.variables[index].path.clone();
                let tensors = rivals().flat_map(|known| self.source.matching(module, &known.rule.torch));
                self.excused_tensors.extend(tensors.map(|(_, at)| at).collect::<Vec<_>>());
                let hint = "keep one of them: list the others in `source.ignore`, or write [[tensor]] rules";
                let detail = FaultDetail::SeveralSources { variable, keys };
                self.fault(&pair.rule.position, detail, Some(hint.to_owned()));
                self.excused.insert(index);
                return;
            }
        };
        let Some(known) = known(at) else { return };
        let is_shared = |name: &str| known.rule.torch.captures().iter().any(|(other, _)| other == name);
        let (both, own) = captures.clone().split(is_shared);
        let group = match groups.entry((*at, both)) {
            Entry::Occupied(group) => group.into_mut(),
            Entry::Vacant(vacant) => {
                let both = vacant.key().1.clone();
                match self.sources(meeting, known, &both) {
                    Ok(sources) if sources.is_empty() => return self.lack(meeting, index, &rules),
                    Ok(sources) => vacant.insert(Group { sources, targets: Matches::new() }),
                    Err(refused) => {
                        self.refuse(pair.rule, *refused);
                        self.excused.insert(index);
                        return;
                    }
                }
            }
        };
        group.targets.push((own, index));
    }

    /// The tensors of a rule that have these captures, each with the others.
    fn sources(&mut self, meeting: &Meeting<'a, '_>, known: &'a ClassVariable, both: &Captures) -> Found {
        // torch's default for all but transposed convolutions, whose classes say another.
        let dim = Dim::Usual(known.rule.dim.unwrap_or(0));
        let groups = meeting.pair.layer.groups.filter(|_| known.expands);
        let found = self.tensors_of(meeting.module, &known.rule, meeting.pair.rule, dim, groups)?;
        let agreeing = found.into_iter().filter_map(|(mut captures, tensor)| {
            let agrees = both.iter().all(|(name, value)| captures.remove(name).as_ref() == Some(value));
            agrees.then_some((captures, tensor))
        });
        Ok(agreeing.collect())
    }

    fn lack(&mut self, meeting: &Meeting<'a, '_>, index: usize, rules: &[(usize, Captures)]) {
        let Meeting { pair, class, module, .. } = meeting;
        let names: Vec<&str> =
            rules.iter().filter_map(|(at, _)| Some(class.variables.get(*at)?.rule.torch.as_str())).collect();
        let name = &self.architecture.variables[index].name;
        let lack = format!(
            "module `{module}` has no `{}`: build the layer without `{name}`{}, or give it a value with [[fill]]",
            names.join("` or `"),
            switch(name),
        );
        self.lacking.insert(index, (pair.rule.position.clone(), lack));
    }

    /// Claims tensors for variables, with the layouts that hold where the layer stands.
    fn ordered(
        &mut self,
        meeting: &Meeting<'a, '_>,
        known: &'a ClassVariable,
        sources: Matches,
        targets: Matches,
    ) {
        let Meeting { pair, layer, .. } = meeting;
        let Some(&(_, index)) = targets.first() else { return };
        let is_split = targets.iter().any(|(captures, _)| !captures.is_empty());
        let mut claim = claim(meeting, known, sources, targets);
        if self.explain {
            claim.captures = captures(pair, meeting.module);
        }
        claim.keras = known.rule.keras.first().filter(|_| is_split);
        if layer.class_from_name && pair.told.is_none() {
            let others = pair.rule.scope.classes.values().flat_map(|class| &class.variables);
            claim.rivals = others
                .filter(|other| other.rule.torch == known.rule.torch)
                .flat_map(|other| &other.rule.layouts)
                .collect();
        }
        // One number has no order, whatever it is repeated for.
        let is_number = claim
            .sources
            .iter()
            .all(|(_, at)| tensor(self.checkpoint, &self.derived, *at).tensor.view.shape().numel() == 1);
        let outcome = if is_number { Outcome::Plain } else { self.place(meeting).choose(index, known) };
        let refused = match outcome {
            Outcome::Plain => None,
            Outcome::Map { layouts, sizes } => {
                claim.layouts = layouts;
                claim.sizes = sizes;
                // Who says what was flattened before the layer knows its class.
                claim.rivals.clear();
                None
            }
            Outcome::Refused { detail, hint } => Some((detail, hint)),
        };
        let variable = &self.architecture.variables[index];
        let kept = || equation::keep(&mut claim.layouts, known, layer, variable);
        if let Some((detail, hint)) = refused.or_else(kept) {
            self.fault(&pair.rule.position, detail, Some(hint));
            self.excused.extend(claim.targets.iter().map(|(_, variable)| *variable));
            let inputs = self.inputs_of(&claim.sources);
            self.excused_tensors.extend(inputs);
            return;
        }
        self.claim(meeting, claim);
    }

    /// Makes a claim, with the terms that its rule adds.
    fn claim(&mut self, meeting: &Meeting<'a, '_>, mut claim: Claim<'a>) {
        let rule = meeting.pair.rule;
        match self.terms_of(meeting.module, rule, claim.rule, &Captures::new()) {
            Ok(terms) => {
                claim.terms = terms;
                self.push(claim);
            }
            Err(refused) => {
                self.refuse(rule, *refused);
                self.excused.extend(claim.targets.iter().map(|(_, variable)| *variable));
            }
        }
    }
}

fn claim<'a>(
    meeting: &Meeting<'a, '_>,
    known: &'a ClassVariable,
    sources: Matches,
    targets: Matches,
) -> Claim<'a> {
    Claim {
        provenance: meeting.provenance.clone(),
        rule: &known.rule,
        captures: Captures::new(),
        layouts: known.rule.layouts.iter().collect(),
        sizes: BTreeMap::new(),
        sources,
        targets,
        keras: None,
        terms: Vec::new(),
        rivals: Vec::new(),
        expands: known.expands,
    }
}

/// What the layer's rule captured: of the module, or of the one around it whose class led here.
fn captures(pair: &Pairing<'_>, module: &Module) -> Captures {
    let mut path = Some(module.path());
    while let Some(module) = path {
        if let Some(captures) = pair.layer.torch.matches(module) {
            return captures;
        }
        path = module.rsplit_once('.').map(|(parent, _)| parent);
    }
    Captures::new()
}

/// The rules of a class that speak of a variable, by its path below the layer.
fn speaking(class: &Class, path: &str) -> Speaking {
    let rules = class.variables.iter().enumerate();
    rules.filter_map(|(at, known)| Some((at, known.matches(path)?))).collect()
}

/// The argument of a Keras layer that does without a variable.
fn switch(variable: &str) -> &'static str {
    match variable {
        "bias" => " (`use_bias=False`)",
        "gamma" => " (`scale=False`)",
        "beta" => " (`center=False`)",
        _ => "",
    }
}
