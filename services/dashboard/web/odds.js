// Scores on a log-odds axis, and how sure a count makes us of a rate. A softmax saturates: between 0.99 and 0.9999 lies as much as between 0.5 and 0.99.

const NEVER = 1e-6; // a score of 0 or 1 has no log-odds

export const odds = (score) => Math.log(clamped(score)) - Math.log1p(-clamped(score));
export const scoreAt = (odds) => 1 / (1 + Math.exp(-odds));
const clamped = (score) => Math.min(1 - NEVER, Math.max(NEVER, score));

/** A score with as many digits as tell it from its neighbours at either end. */
export function precise(score) {
  const rest = Math.min(score, 1 - score);
  return score.toFixed(rest <= 0 ? 6 : Math.min(6, Math.max(2, Math.ceil(-Math.log10(rest)) + 1)));
}

/** How many of these (in ascending order) are at or above a threshold. */
export function atOrAbove(sorted, threshold) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < threshold) low = middle + 1;
    else high = middle;
  }
  return sorted.length - low;
}

/** Groups of good parts ({score, weight}) -> share of all good parts at or above a threshold, with its 95 % interval; null where there are none.
 * Weights tell how many parts one stands for; they count as the parts of equal weight that would be as uncertain. */
export function falseRejects(good, threshold) {
  if (!good.length) return null;
  const all = good.reduce((sum, one) => sum + one.weight, 0);
  const hit = good.reduce((sum, one) => sum + (one.score >= threshold ? one.weight : 0), 0);
  const groups = Math.max(1, Math.floor((all * all) / good.reduce((sum, one) => sum + one.weight ** 2, 0)));
  const hits = (hit / all) * groups;
  return { rate: hit / all, from: lower(Math.floor(hits + 1e-9), groups), to: upper(Math.ceil(hits - 1e-9), groups), groups };
}

/** Clopper-Pearson, two-sided 95 %: the rates at which so many, or so few, would be seen once in forty samples. */
const upper = (hits, groups) => (hits >= groups ? 1 : halved((rate) => atMost(hits, groups, rate) > 0.025));
const lower = (hits, groups) => (hits <= 0 ? 0 : halved((rate) => 1 - atMost(hits - 1, groups, rate) < 0.025));

function halved(below) {
  let [low, high] = [0, 1];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (below(middle)) low = middle;
    else high = middle;
  }
  return high;
}

function atMost(hits, groups, rate) {
  let term = groups * Math.log1p(-rate); // in logarithms: the first of many groups is too small for a number
  let sum = Math.exp(term);
  for (let hit = 1; hit <= hits; hit++) {
    term += Math.log((groups - hit + 1) / hit) + Math.log(rate) - Math.log1p(-rate);
    sum += Math.exp(term);
  }
  return Math.min(1, sum);
}
