//! What each layer and operation does to the order of features, as far as it is known.

use super::infer::{keeps_shape, product, target_shape};
use super::json::{Config, InputShape, Value};
use super::locality::{
    ELEMENTWISE, LOCAL, is_channels_first, is_convolution, is_local, normalizes_last, reshape_target,
};

/// What is known about a tensor. The texts are noun phrases: "reads features whose order is not known: …".
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Order {
    /// Its axes are plain, none of them merged with channels; flattening it does what the mark says.
    Channels(Flattening),
    /// A map was flattened.
    Flattened(Vec<usize>),
    /// Features in several orders, so that none of a map is theirs, and of what.
    Mixed(String),
    /// Not known, and why.
    Unknown(String),
}

/// What flattening a tensor means in PyTorch.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Flattening {
    /// The same: PyTorch has these axes in the same order (features).
    Same,
    /// The same, for features at positions in a row (embeddings, say).
    Sequence,
    /// A sequence that was reshaped to more axes: those of a map, or its features divided (among heads, say).
    Reshaped(String),
    /// A feature map, channels last.
    LastToFirst,
    /// A feature map, channels first as in PyTorch.
    First,
    /// A map of which nothing has told yet where its channels are, or whether it is one.
    Open(String),
    /// The pixels of a map in a row, channels last. PyTorch flattens them as a sequence or as the map.
    Pixels(String),
    /// Two axes, of which nothing has told whether they are those of a sequence or of a map.
    Line(String),
    /// A sequence of maps, one per step of time.
    Steps(Box<Flattening>),
    /// Not known, and of what.
    Unclear(String),
}

/// A layer or operation, with the shapes of the tensors that it reads first and makes.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) class: &'a str,
    pub(super) config: &'a Value,
    pub(super) name: &'a str,
    pub(super) shape: Option<&'a InputShape>,
    pub(super) output: Option<&'a InputShape>,
}

/// The order of an input of that rank (with the batch).
pub(super) fn of_input(rank: Option<usize>) -> Order {
    Order::Channels(match rank {
        Some(0..=2) => Flattening::Same,
        Some(3) => Flattening::Line("an input of rank 3, which may be a sequence or a map".to_owned()),
        Some(rank) => Flattening::Open(format!("an input of rank {rank} with its channels first or last")),
        None => Flattening::Unclear("an input of unknown rank".to_owned()),
    })
}

/// The order of several inputs taken together.
pub(super) fn all_of(inputs: &[Order], name: &str) -> Order {
    let mut orders = inputs.iter();
    let Some(first) = orders.next() else { return Order::Channels(Flattening::Same) };
    orders.fold(first.clone(), |all, order| merge(all, order, name))
}

fn merge(a: Order, b: &Order, name: &str) -> Order {
    match (a, b) {
        (a, b) if a == *b => a,
        (Order::Mixed(reason), _) => Order::Mixed(reason),
        (_, Order::Mixed(reason)) => Order::Mixed(reason.clone()),
        (Order::Unknown(reason), _) => Order::Unknown(reason),
        (_, Order::Unknown(reason)) => Order::Unknown(reason.clone()),
        (Order::Channels(a), Order::Channels(b)) => {
            let both = combined(&a, b).or_else(|| combined(b, &a)).cloned();
            both.map_or_else(
                || unclear(format!("the inputs of `{name}`, maps or sequences of different orders")),
                Order::Channels,
            )
        }
        _ => Order::Mixed(format!("the inputs of `{name}`, features of different orders")),
    }
}

/// The second of two kinds, where it is that of both combined.
fn combined<'a>(a: &Flattening, b: &'a Flattening) -> Option<&'a Flattening> {
    use Flattening::{First, LastToFirst, Line, Open, Pixels, Reshaped, Same, Sequence};
    match (a, b) {
        // A gate of one value per channel scales a map.
        (Same, _)
        // Maps that are combined have one order of axes.
        | (Open(_) | Reshaped(_), First | LastToFirst | Open(_))
        // What is certain of a sequence is not of what it is combined with.
        | (Sequence | Line(_) | Pixels(_), Pixels(_))
        | (Sequence | Line(_), Line(_))
        | (Sequence | Reshaped(_), Reshaped(_)) => Some(b),
        _ => None,
    }
}

fn unclear(what: String) -> Order {
    Order::Channels(Flattening::Unclear(what))
}

impl<'a> Reader<'a> {
    fn unknown(&self) -> Order {
        Order::Unknown(format!("the output of `{}`", self.name))
    }

    fn unclear(&self) -> Order {
        unclear(format!("the output of `{}`", self.name))
    }

    fn rank(&self) -> Option<usize> {
        self.shape.map(Vec::len)
    }

    /// What a layer makes of its inputs.
    pub(super) fn layer(&self, inputs: &[Order]) -> Order {
        let Ok(config) = Config::new(self.config, self.name) else { return self.unknown() };
        let input = all_of(inputs, self.name);
        let is_first = is_channels_first(config);
        match self.class {
            "BatchNormalization" | "GroupNormalization" => match self.normalizes_first(config) {
                Some(is_first) => self.read_as(input, is_first),
                None => input,
            },
            "LayerNormalization" | "RMSNormalization" if normalizes_last(config, self.rank()) => {
                match input {
                    Order::Channels(Flattening::LastToFirst) => self.moved(),
                    other => other,
                }
            }
            "SpatialDropout2D" | "SpatialDropout3D" => self.read_as(input, is_first),
            class if keeps_shape(class) => input,
            "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" => input,
            "Concatenate" => self.concatenate(input),
            "Flatten" => self.flatten(input, is_first),
            "Reshape" => self.reshape(input, target_shape(config).as_deref()),
            "Permute" => self.permute(input, config),
            "Embedding" | "ReversibleEmbedding" | "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "Bidirectional" => {
                self.sequence()
            }
            // Features of their own, at positions whose order is that of the input.
            "Dense" | "EinsumDense" => match input {
                _ if self.rank() == Some(2) => Order::Channels(Flattening::Same),
                Order::Channels(
                    Flattening::Same
                    | Flattening::Sequence
                    | Flattening::Reshaped(_)
                    | Flattening::Pixels(_)
                    | Flattening::Line(_),
                ) => input,
                _ => self.unclear(),
            },
            "MultiHeadAttention" | "GroupedQueryAttention" | "Attention" | "AdditiveAttention" => match input
            {
                Order::Channels(Flattening::Reshaped(_) | Flattening::Pixels(_)) => input,
                Order::Channels(Flattening::Same | Flattening::Sequence | Flattening::Line(_)) => {
                    self.sequence()
                }
                _ => self.unclear(),
            },
            class if class.starts_with("Global") => match input {
                Order::Channels(_) => Order::Channels(Flattening::Same),
                other => other,
            },
            "SpectralNormalization" => match input {
                Order::Channels(_) => self.unclear(),
                _ => self.unknown(),
            },
            class if is_convolution(class) => match (input, is_first) {
                (Order::Channels(Flattening::First), false) => self.contradicts("last"),
                (Order::Channels(Flattening::LastToFirst), true) => self.contradicts("first"),
                (_, true) => Order::Channels(Flattening::First),
                (_, false) => Order::Channels(Flattening::LastToFirst),
            },
            class if class.starts_with("ConvLSTM") => self.unclear(),
            class if is_local(class) => match input {
                Order::Channels(Flattening::Same | Flattening::Sequence) if self.rank() == Some(3) => {
                    self.unclear()
                }
                other => self.read_as(other, is_first),
            },
            _ => self.local(input),
        }
    }

    /// A map whose channels PyTorch moved to the end for the layer, and maybe back.
    fn moved(&self) -> Order {
        match self.rank() {
            Some(0..=2) => Order::Channels(Flattening::LastToFirst),
            Some(3) => self.unclear(),
            _ => Order::Channels(Flattening::Open(format!("the output of `{}`", self.name))),
        }
    }

    /// Features at positions in a row, or of one position.
    fn sequence(&self) -> Order {
        let is_vector = self.output.is_some_and(|output| output.len() == 2);
        Order::Channels(if is_vector { Flattening::Same } else { Flattening::Sequence })
    }

    /// One step of time of each input, as the layer in a `TimeDistributed` reads it.
    pub(super) fn steps(&self, inputs: &[Order]) -> Vec<Order> {
        let step = |order: &Order| match order {
            Order::Channels(Flattening::Steps(kind)) => Order::Channels((**kind).clone()),
            Order::Channels(Flattening::First | Flattening::LastToFirst) => self.unclear(),
            other => other.clone(),
        };
        inputs.iter().map(step).collect()
    }

    /// What `TimeDistributed` makes with the layer in it, of steps.
    pub(super) fn each_step(&self, class: &str, config: &Value, steps: &[Order]) -> Order {
        let step = |shape: Option<&InputShape>| -> Option<InputShape> {
            let mut step = shape?.clone();
            (step.len() > 2).then(|| step.remove(1))?;
            Some(step)
        };
        let (shape, output) = (step(self.shape), step(self.output));
        let inner = Reader { class, config, name: self.name, shape: shape.as_ref(), output: output.as_ref() };
        self.of_steps(inner.layer(steps), steps)
    }

    /// A sequence of what was made of each step.
    pub(super) fn of_steps(&self, made: Order, steps: &[Order]) -> Order {
        match made {
            Order::Channels(Flattening::Same) => match all_of(steps, self.name) {
                order @ Order::Channels(Flattening::Line(_)) if self.rank() == Some(3) => order,
                Order::Channels(Flattening::Unclear(_)) if self.rank() == Some(3) => self.unclear(),
                _ => Order::Channels(Flattening::Sequence),
            },
            Order::Channels(Flattening::Sequence | Flattening::Reshaped(_) | Flattening::Line(_)) => made,
            Order::Channels(kind) => Order::Channels(Flattening::Steps(Box::new(kind))),
            other => other,
        }
    }

    /// Whether a normalization of a map takes axis 1 for the channels, where its axis is one of the two.
    fn normalizes_first(&self, config: Config<'_>) -> Option<bool> {
        let rank = self.rank().filter(|&rank| rank > 3)?;
        match config.axes("axis").ok()?.as_deref() {
            None | Some([-1]) => Some(false),
            Some([1]) => Some(true),
            Some([axis]) if usize::try_from(*axis).is_ok_and(|axis| axis == rank - 1) => Some(false),
            _ => None,
        }
    }

    /// The input, as a layer that knows where the channels are reads it.
    fn read_as(&self, input: Order, is_first: bool) -> Order {
        let is_map = self.rank().is_some_and(|rank| rank > 3);
        match input {
            Order::Channels(
                Flattening::Open(_) | Flattening::Reshaped(_) | Flattening::Same | Flattening::Sequence,
            ) if is_map => {
                Order::Channels(if is_first { Flattening::First } else { Flattening::LastToFirst })
            }
            Order::Channels(Flattening::First) if !is_first => self.contradicts("last"),
            Order::Channels(Flattening::LastToFirst) if is_first => self.contradicts("first"),
            other => other,
        }
    }

    fn contradicts(&self, place: &str) -> Order {
        let name = self.name;
        unclear(format!("the output of `{name}`, which reads as channels {place} what is made otherwise"))
    }

    /// What a function makes that is known not to reorder channels, if only it keeps them on the last axis.
    fn local(&self, input: Order) -> Order {
        let last = |shape: Option<&InputShape>| shape.and_then(|shape| *shape.last()?);
        match input {
            Order::Channels(Flattening::Same | Flattening::Sequence | Flattening::Reshaped(_)) => input,
            Order::Channels(kind) if last(self.shape).is_some() && last(self.shape) == last(self.output) => {
                match (self.output.map(Vec::len), kind) {
                    (Some(2), _) => Order::Channels(Flattening::Same),
                    (Some(3), kind @ Flattening::Line(_)) => Order::Channels(kind),
                    _ => self.unclear(),
                }
            }
            _ => self.unknown(),
        }
    }

    fn concatenate(&self, input: Order) -> Order {
        match input {
            Order::Flattened(_) => {
                Order::Mixed(format!("the output of `{}`, which joins flattened features", self.name))
            }
            other => other,
        }
    }

    fn flattens(&self, what: &str) -> Order {
        Order::Unknown(format!("the output of `{}`, which flattens {what}", self.name))
    }

    /// Row-major flattening of all but the batch. With `transposes` (channels-first flattening) axis 1 is
    /// moved to the end before.
    fn flatten(&self, input: Order, transposes: bool) -> Order {
        use Flattening::{First, LastToFirst, Line, Open, Pixels, Reshaped, Same, Sequence, Steps, Unclear};
        let Order::Channels(kind) = input else { return input };
        let Some(rest) = self.shape.and_then(|shape| shape.get(1..)) else {
            return if kind == Same || kind == Sequence {
                Order::Channels(Same)
            } else {
                self.flattens("a map of unknown size")
            };
        };
        // Where at most one axis is longer than 1, every order of axes is the same.
        if rest.iter().filter(|size| **size != Some(1)).count() < 2 {
            return Order::Channels(Same);
        }
        let sizes: Option<Vec<usize>> = rest.iter().copied().collect();
        let flattened = match (kind, transposes) {
            (Same | Sequence | First, false) => return Order::Channels(Same),
            (LastToFirst, false) => sizes,
            // One channel on the last axis, or a map with channels first that is one column wide.
            (Open(_), false) if rest.last() == Some(&Some(1)) => return Order::Channels(Same),
            (Open(what), false) => return self.flattens(&what),
            (First | Open(_), true) => sizes.map(|mut sizes| {
                sizes.rotate_left(1);
                sizes
            }),
            (Unclear(what) | Pixels(what) | Line(what) | Reshaped(what), _) => return self.flattens(&what),
            (Steps(_), _) => return self.flattens("a sequence of maps"),
            (Same | Sequence | LastToFirst, true) => {
                return self.flattens("channels-last features as channels-first");
            }
        };
        match flattened {
            Some(sizes) if sizes.last() == Some(&1) => Order::Channels(Same),
            Some(sizes) => Order::Flattened(sizes),
            None => self.flattens("a map of unknown size"),
        }
    }

    fn reshape(&self, input: Order, target: Option<&[Option<usize>]>) -> Order {
        let unknown = || Order::Unknown(format!("the output of `{}`, which reshapes features", self.name));
        let Some(target) = target else { return unknown() };
        let Some((last, outer)) = target.split_last() else { return unknown() };
        if outer.is_empty() {
            return self.flatten(input, false);
        }
        let kind = match input {
            Order::Channels(kind) => kind,
            // The same map again.
            Order::Flattened(sizes) if target.iter().copied().eq(sizes.iter().copied().map(Some)) => {
                return Order::Channels(Flattening::LastToFirst);
            }
            _ => return unknown(),
        };
        let rest = self.shape.and_then(|shape| shape.get(1..));
        let channels = rest.and_then(|rest| *rest.last()?);
        let keeps_channels =
            channels.is_some() && (*last == channels || last.is_none() && is_rest(self.shape, target));
        let has_positions = !outer.iter().all(|size| *size == Some(1));
        let is_vector = rest.is_some_and(|rest| rest.len() == 1);
        let long = |axes: &[Option<usize>]| -> Vec<Option<usize>> {
            axes.iter().copied().filter(|size| *size != Some(1)).collect()
        };
        // Axes of size 1 come and go.
        let same_axes = rest.is_some_and(|rest| long(rest) == long(target));
        let is_map = long(target).len() > 2;
        match kind {
            Flattening::Same if is_vector && has_positions => {
                let what = format!("the map that `{}` makes of features", self.name);
                Order::Channels(if is_map { Flattening::Open(what) } else { Flattening::Line(what) })
            }
            Flattening::Same => Order::Channels(Flattening::Same),
            Flattening::Sequence if is_map => Order::Channels(Flattening::Reshaped(format!(
                "the sequence that `{}` reshapes, which may be a map",
                self.name
            ))),
            Flattening::Sequence => Order::Channels(Flattening::Sequence),
            Flattening::Reshaped(_) if is_map => Order::Channels(kind),
            Flattening::Reshaped(what) if long(target).len() < 2 => self.flattens(&what),
            Flattening::Reshaped(_) => Order::Channels(Flattening::Sequence),
            Flattening::First if !same_axes => unknown(),
            Flattening::LastToFirst | Flattening::Open(_) | Flattening::Pixels(_)
                if keeps_channels && !same_axes =>
            {
                let what = format!("the map that `{}` reshapes", self.name);
                Order::Channels(if is_map { Flattening::Open(what) } else { Flattening::Pixels(what) })
            }
            _ if keeps_channels || same_axes => unclear(format!("the map that `{}` reshapes", self.name)),
            _ => unknown(),
        }
    }

    /// Each axis stays what it was, so what reads one of them knows its order.
    fn permute(&self, input: Order, config: Config<'_>) -> Order {
        let Order::Channels(kind) = input else {
            return Order::Unknown(format!("the axes that `{}` permutes", self.name));
        };
        let Ok(Some(axes)) = config.axes("dims") else { return self.unknown() };
        let rank = i64::try_from(axes.len()).unwrap_or(i64::MAX);
        let last_to_first: Vec<i64> = std::iter::once(rank).chain(1..rank).collect();
        let first_to_last: Vec<i64> = (2..=rank).chain(std::iter::once(1)).collect();
        match kind {
            kind if axes.iter().copied().eq(1..=rank) => Order::Channels(kind),
            Flattening::LastToFirst if axes == last_to_first => Order::Channels(Flattening::First),
            Flattening::First if axes == first_to_last => Order::Channels(Flattening::LastToFirst),
            _ => unclear(format!("the axes that `{}` permutes", self.name)),
        }
    }

    /// What an operation of `keras.ops` makes of its inputs.
    pub(super) fn operation(&self, inputs: &[Order]) -> Order {
        let input = all_of(inputs, self.name);
        if ELEMENTWISE.contains(&self.class) {
            return input;
        }
        match (self.class, Config::new(self.config, self.name)) {
            ("Concatenate", _) => self.concatenate(input),
            ("Reshape", Ok(config)) => self.reshape(input, reshape_target(config).as_deref()),
            ("Transpose" | "Swapaxes" | "Moveaxis", _) => match input {
                Order::Channels(Flattening::Same | Flattening::Sequence | Flattening::Reshaped(_)) => input,
                Order::Channels(_) => unclear(format!("the axes that `{}` permutes", self.name)),
                _ => self.unknown(),
            },
            (class, _) if LOCAL.contains(&class) => match input {
                Order::Mixed(_) => input,
                other => self.local(other),
            },
            _ => match input {
                Order::Channels(Flattening::Same | Flattening::Sequence | Flattening::Reshaped(_)) => input,
                _ => Order::Unknown(format!("the output of `{}` ({})", self.name, self.class)),
            },
        }
    }
}

/// Whether the open axis (-1) of the target takes exactly the channels.
fn is_rest(shape: Option<&InputShape>, target: &[Option<usize>]) -> bool {
    let Some((_, positions)) = shape.and_then(|shape| shape.get(1..)?.split_last()) else { return false };
    let outer = target.split_last().map_or(&[][..], |(_, outer)| outer);
    product(positions).is_some() && product(positions) == product(outer)
}
