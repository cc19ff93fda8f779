use super::*;
use crate::example_tasks::{build, cases, differences, examples, numbers, relative, weights};
use round::plan::{Family, Head};

fn tensor(values: &[f64]) -> Tensor {
    Tensor::from_slice(values, (2, 3), &Device::Cpu).unwrap()
}

type Operation = fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>;

/// Every tensor operation that this module uses, as a function of `x` with `c` a constant; twice
/// where both arguments are differentiated.
const OPERATIONS: [(&str, Operation); 23] = [
    ("add", |x, c| x.add(c)),
    ("sub", |x, c| c.sub(x)),
    ("mul", |x, c| x.mul(c)),
    ("mul by itself", |x, _| x.mul(x)),
    ("div", |x, c| c.div(x)),
    ("affine", |x, _| x.affine(-1.5, 2.0)),
    ("tanh", |x, _| x.tanh()),
    ("exp", |x, _| x.exp()),
    ("sqrt", |x, _| x.mul(x)?.affine(1.0, 0.5)?.sqrt()),
    ("matmul, left", |x, c| x.matmul(&c.t()?)),
    ("matmul, right", |x, c| c.t()?.matmul(x)),
    ("transpose", |x, c| x.t()?.matmul(c)),
    ("transpose of the right", |x, c| c.matmul(&x.t()?)),
    ("sum_keepdim 0", |x, _| x.sum_keepdim(0)),
    ("sum_keepdim 1", |x, _| x.sum_keepdim(1)),
    ("sum_all", |x, _| x.sum_all()),
    ("broadcast_add of a row", |x, c| c.broadcast_add(&x.sum_keepdim(0)?)),
    ("broadcast_sub of a column", |x, c| x.broadcast_sub(&c.sum_keepdim(1)?)),
    ("broadcast_mul by a column", |x, c| x.broadcast_mul(&c.sum_keepdim(1)?)),
    ("broadcast_mul by a scalar", |x, c| c.broadcast_mul(&x.sum_all()?)),
    ("broadcast_div by a column", |x, c| c.broadcast_div(&x.mul(x)?.sum_keepdim(1)?)),
    ("broadcast_div of x", |x, c| x.broadcast_div(&c.sum_keepdim(1)?)),
    ("detach", |x, _| x.mul(&x.detach().gt(0.0)?.to_dtype(DType::F64)?)),
];

#[test]
fn every_operation_used_has_the_gradient_of_its_finite_differences() {
    let mut next = numbers(7);
    let x: Vec<f64> = (0..6).map(|_| 0.5 + next().abs()).collect();
    let c = tensor(&[0.3, -1.1, 0.7, 1.9, -0.4, 1.3]);
    for (name, operation) in OPERATIONS {
        let value = |x: &Tensor| -> Tensor {
            let y = operation(x, &c).unwrap();
            // Different weights on the entries, so that a permuted gradient shows.
            let ramp: Vec<f64> = (0..y.elem_count())
                .scan(0.2, |w, _| {
                    *w += 0.1;
                    Some(*w)
                })
                .collect();
            let ramp = Tensor::from_vec(ramp, y.shape(), &Device::Cpu).unwrap();
            y.mul(&ramp).unwrap().sum_all().unwrap()
        };
        let variable = Var::from_tensor(&tensor(&x)).unwrap();
        let found = value(variable.as_tensor()).backward().unwrap();
        let found = found.get(&variable).expect(name).flatten_all().unwrap().to_vec1().unwrap();
        let expected = differences(&x, &|x| value(&tensor(x)).to_scalar::<f64>().unwrap());
        let error = relative(&found, &expected);
        assert!(error < 1e-8, "{name}: {error:e}");
    }
}

#[test]
fn the_tensor_gradient_is_the_direct_gradient() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for (case, (head, hidden, norm_max)) in cases().into_iter().enumerate() {
            let (network, loss, _) = parts(head, hidden, activation, norm_max);
            let at = weights(network.weights(), case as u64);
            let examples = examples(head, 9, 60 + case as u64);
            let batch = Batch::new(&network, &loss, &examples, 4.5).unwrap();
            let layers: Vec<_> =
                variables(&network, &at).unwrap().iter().map(LayerVariables::tensors).collect();
            let found = flat(&support_gradient(&network, &loss, &layers, &batch).unwrap()).unwrap();
            let direct = gradient(&network, &loss, &at, &examples, 4.5).unwrap();
            let error = relative(&found, &direct);
            assert!(error < 1e-12, "{head:?} {hidden:?} {activation:?}: {error:e}");
        }
    }
}

#[test]
fn the_tensor_inner_loop_is_the_direct_inner_loop() {
    for (case, (head, hidden, norm_max)) in cases().into_iter().enumerate() {
        let (network, loss, steps) = parts(head, hidden, Activation::Tanh, norm_max);
        let at = weights(network.weights(), case as u64);
        let support = examples(head, 9, 60 + case as u64);
        let batch = Batch::new(&network, &loss, &support, steps.normaliser).unwrap();
        let mut layers: Vec<_> =
            variables(&network, &at).unwrap().iter().map(LayerVariables::tensors).collect();
        for _ in 0..steps.count {
            layers = step(&network, &loss, &layers, &batch, steps).unwrap();
        }
        let direct = crate::inner::adapt(&network, &loss, steps, &at, &support).unwrap();
        let error = relative(&flat(&layers).unwrap(), &direct);
        assert!(error < 1e-12, "{head:?} {hidden:?} guard {norm_max}: {error:e}");
    }
}

#[test]
fn a_missing_gradient_is_an_error_and_not_zero() {
    let (network, _, _) = parts(Head::Binary {}, &[], Activation::Tanh, 1.0);
    let at = weights(network.weights(), 1);
    let initial = variables(&network, &at).unwrap();
    let whole = |l: &LayerVariables| (l.weights.as_tensor().clone(), l.bias.as_tensor().clone());
    for cut_weights in [true, false] {
        let cut: Vec<_> = initial
            .iter()
            .map(|l| match whole(l) {
                (weights, bias) if cut_weights => LayerTensors { weights: weights.detach(), bias },
                (weights, bias) => LayerTensors { weights, bias: bias.detach() },
            })
            .collect();
        let answer = pull_back(&network, &initial, &cut, &at);
        assert!(matches!(answer, Err(LearnerError::MissingGradient { layer: 0 })));
    }
}

fn parts(
    head: Head,
    hidden: &[u32],
    activation: Activation,
    norm_max: f64,
) -> (Network, Loss, Steps) {
    build(Family::Maml, head, hidden, activation, norm_max).into_parts()
}
