'use strict';
// Draws the report from the embedded results (results_json in experiments/results.h).
const data = JSON.parse(document.getElementById('data').textContent);
const run = data.results;
const $ = id => document.getElementById(id);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ---- words and numbers
const significant = (x, digits = 3) => x === 0 ? '0' : Math.abs(x) >= 10 ** digits ? Math.round(x).toString() : Number(x.toPrecision(digits)).toString();
const percent = (share, digits = 2) => (100 * share).toFixed(digits) + ' %';
const points = (share, sign = false) => (sign && share > 0 ? '+' : '') + (100 * share).toFixed(2);
function withUnit(x, units) {
  let i = 0;
  while (Math.abs(x) >= 999.5 && i + 1 < units.length) { x /= 1000; ++i; }
  return (i ? significant(x) : Math.round(x).toString()) + (units[i] ? ' ' + units[i] : '');
}
const bytes = x => withUnit(x, ['B', 'kB', 'MB', 'GB']);
const count = x => withUnit(x, ['', 'k', 'M', 'G']);
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node[name] = value; else node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}
const row = (tag, cells, attributes = {}) => element('tr', attributes, ...cells.map(cell => cell instanceof Node && cell.tagName === 'TD' ? cell : element(tag, {}, cell)));
const withSmall = (main, small) => { const cell = element('td', {}, main); if (small) cell.append(element('small', {}, small)); return cell; };
const interval = (figure, show) => figure.interval ? `${show(figure.interval[0])} to ${show(figure.interval[1])}` : '';

// ---- colours: one an agent, in the config's order
const palette = ['#3b78e7', '#e08214', '#2a9d68', '#c0479f', '#8c6bd1', '#b08d1c', '#d1495b', '#4aa3b8'];
const colours = Object.fromEntries(run.agents.map((agent, i) => [agent.name, palette[i % palette.length]]));
const faint = colour => colour + '66';

const axes = [
  {key: 'latency_ms', title: 'Latency', unit: 'ms', of: (trial, device) => trial.metrics['latency_ms@' + device.name], base: device => device.float.latency_ms},
  {key: 'energy_mj', title: 'Energy', unit: 'mJ', of: (trial, device) => trial.metrics['energy_mj@' + device.name], base: device => device.float.energy_mj},
  {key: 'packed_bytes', title: 'Packed weights', unit: 'kB', of: trial => trial.metrics.packed_bytes / 1000, base: () => run.float.packed_bytes / 1000},
  {key: 'macs', title: 'MACs', unit: 'millions', of: trial => trial.metrics.macs / 1e6, base: () => run.float.macs / 1e6},
].filter(({key}) => key !== 'macs' || run.trials.some(trial => trial.metrics.macs !== undefined));
let axis = axes[0];
let selected = null;
const charts = [];
const trialById = new Map(run.trials.map(trial => [trial.id, trial]));
const floatAccuracy = run.float.accuracy.search.value;
const trust = device => device.calibrated ? 'predicted, calibrated' : 'predicted, uncalibrated';

function drawHead() {
  const measured = run.trials.filter(trial => !trial.error).length;
  document.title = `${run.model.name} · Lathe report`;
  $('title').textContent = run.model.name;
  $('subtitle').textContent = `Compression policies for ${run.devices.map(device => device.title).join(', ')}`;
  const figure = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));
  $('figures').append(figure('float accuracy (test)', percent(run.float.accuracy.test.value)), figure('parameters', count(run.float.parameters)),
    figure('MACs', count(run.float.macs)), figure('trials', String(measured)));
}

function policyRow(policy, device) {
  const latency = policy.latency_ms[device.name];
  const name = element('td', {}, policy.policy);
  if (policy.recommended) name.append(element('span', {class: 'tag'}, 'recommended'));
  if (policy.recovered) name.append(element('span', {class: 'tag'}, 'recovered'));
  const loss = policy.accuracy_loss;
  const cells = [name,
    withSmall(percent(policy.accuracy.value), interval(policy.accuracy, percent)),
    withSmall(points(loss.value), interval(loss, points)),
    latency === undefined ? 'does not fit' : withSmall(significant(latency), (policy.speed_up[device.name]).toFixed(2) + '× faster'),
    latency === undefined ? '' : withSmall(significant(policy.energy_mj[device.name]), (device.float.energy_mj / policy.energy_mj[device.name]).toFixed(2) + '× less'),
    policy.size_bytes === undefined ? '–' : withSmall(bytes(policy.size_bytes), (run.float.size_bytes / policy.size_bytes).toFixed(1) + '× smaller'),
    withSmall(bytes(policy.packed_bytes), (run.float.packed_bytes / policy.packed_bytes).toFixed(1) + '× smaller')];
  const node = row('td', cells, policy.recommended ? {class: 'best'} : {});
  node.style.cursor = 'pointer';
  node.onclick = () => { select(trialById.get(policy.trial), device); $('policy').scrollIntoView({behavior: 'smooth'}); };
  return node;
}

function drawSummary() {
  const table = $('summary');
  table.append(row('th', ['policy', 'test accuracy, measured', 'loss in points, measured', 'latency ms, predicted', 'energy mJ, predicted', 'ONNX file', 'packed weights']));
  const float = run.float;
  for (const device of run.devices) {
    const title = element('td', {colspan: 7}, device.title + ' ');
    title.append(element('span', {class: 'quiet'}, `· ${trust(device)} · ${device.front.length} policies on its front`));
    table.append(element('tr', {class: 'device'}, title));
    table.append(row('td', ['float', withSmall(percent(float.accuracy.test.value), interval(float.accuracy.test, percent)), '',
      significant(device.float.latency_ms), significant(device.float.energy_mj), bytes(float.size_bytes), bytes(float.packed_bytes)]));
    const own = run.policies.filter(policy => policy.device === device.name);
    for (const policy of own) table.append(policyRow(policy, device));
    if (own.length && !own.some(policy => policy.meets_loss))
      table.append(element('tr', {}, element('td', {colspan: 7, class: 'bad'}, `No policy loses at most ${run.accuracy_loss} points on the search split; these come nearest.`)));
    if (!device.front.length) table.append(element('tr', {}, element('td', {colspan: 7, class: 'bad'}, 'No policy within the limits runs on this device.')));
  }
  const test = float.accuracy.test;
  $('summary-note').textContent = `The fastest policy of each device that loses at most ${run.accuracy_loss} points on the search split, after recovery. Accuracy is measured on ` +
    `${test.samples || ""} held-out rows with the delivered file; below it the 95 % interval. The loss is paired with the float network on the same rows. Batch ${run.batch}.`;
}

function drawLegend() {
  for (const agent of run.agents)
    $('legend').append(element('span', {}, element('i', {style: `background:${colours[agent.name]}`}), agent.name));
  $('legend').append(element('span', {}, element('i', {class: 'front'}), 'Pareto front'), element('span', {}, element('i', {class: 'float'}), 'float network'));
  for (const choice of axes) {
    const button = element('button', {onclick: () => { axis = choice; redraw(); }}, choice.title);
    choice.button = button;
    $('axis').append(button);
  }
  $('front-note').textContent = `Each point is a policy that was tried: ${run.metric} on the search split${run.float.accuracy.search.samples ? ` (${run.float.accuracy.search.samples} rows)` : ""} against what it costs. ` +
    'Large points are on the front. Hover for the trial, click to see its layers.';
}

// Non-dominated among the trials that the device runs, for the axis shown (the stored front is that of the config's objectives).
function frontOn(device) {
  const usable = run.trials.filter(trial => !trial.error && Number.isFinite(axis.of(trial, device)));
  // A policy that halving stopped has been seen on some of the rows only.
  const sorted = usable.filter(trial => !trial.stopped).sort((a, b) => axis.of(a, device) - axis.of(b, device) || b.metrics.accuracy - a.metrics.accuracy);
  const front = [];
  let best = -1;
  for (const trial of sorted) if (trial.metrics.accuracy > best) { front.push(trial); best = trial.metrics.accuracy; }
  return {usable, front};
}

function paretoConfig(device) {
  const {usable, front} = frontOn(device);
  const onFront = new Set(front.map(trial => trial.id));
  const recommended = new Set(run.policies.filter(policy => policy.device === device.name && policy.recommended).map(policy => policy.trial));
  const at = trial => ({x: axis.of(trial, device), y: 100 * trial.metrics.accuracy, trial});
  const ink = css('--strong'), quiet = css('--quiet'), card = css('--card');
  const datasets = run.agents.map(agent => {
    const own = usable.filter(trial => trial.agent === agent.name);
    return {
      label: agent.name, data: own.map(at), type: 'scatter', order: 2,
      pointRadius: own.map(trial => recommended.has(trial.id) ? 8 : onFront.has(trial.id) ? 5.5 : 2.8),
      pointHoverRadius: own.map(trial => onFront.has(trial.id) ? 8 : 5),
      pointBackgroundColor: own.map(trial => onFront.has(trial.id) ? colours[agent.name] : faint(colours[agent.name])),
      pointBorderColor: own.map(trial => selected && selected.id === trial.id ? ink : onFront.has(trial.id) ? card : 'transparent'),
      pointBorderWidth: own.map(trial => selected && selected.id === trial.id ? 2.5 : 1.2),
    };
  });
  datasets.push({label: 'front', type: 'line', data: front.map(at), stepped: 'before', borderColor: ink, borderWidth: 1.4, pointRadius: 0, pointHitRadius: 0, order: 3});
  datasets.push({label: 'float', type: 'scatter', data: [{x: axis.base(device), y: 100 * floatAccuracy}], pointStyle: 'rectRot', pointRadius: 7,
    pointBackgroundColor: ink, pointBorderColor: card, order: 1});
  const values = usable.map(trial => 100 * trial.metrics.accuracy);
  const lowest = Math.max(Math.min(...values, 100 * floatAccuracy), 100 * (floatAccuracy - 0.22));
  const top = Math.max(...values, 100 * floatAccuracy);
  const margin = Math.max(0.3, 0.04 * (top - lowest));
  return {
    data: {datasets},
    options: {
      animation: false, maintainAspectRatio: false, responsive: true,
      onClick: (event, items) => { const hit = items.map(item => datasets[item.datasetIndex].data[item.index].trial).find(Boolean); if (hit) select(hit, device); },
      onHover: (event, items) => { event.native.target.style.cursor = items.length ? 'pointer' : 'default'; },
      interaction: {mode: 'nearest', intersect: true},
      scales: {
        x: {type: 'linear', min: 0, title: {display: true, text: `${axis.title}, ${axis.unit}` + (axis.key === 'packed_bytes' || axis.key === 'macs' ? '' : ` (${trust(device)})`), color: quiet}, grid: {color: css('--grid')}, ticks: {color: quiet}},
        y: {min: lowest - margin, max: Math.min(100, top + margin), title: {display: true, text: `${run.metric}, % (search split)`, color: quiet}, grid: {color: css('--grid')}, ticks: {color: quiet, includeBounds: false}},
      },
      plugins: {
        legend: {display: false},
        tooltip: {callbacks: {label: item => tooltip(item.raw, device)}, displayColors: false, filter: item => item.dataset.label !== 'front'},
      },
    },
  };
}

function tooltip(point, device) {
  if (!point.trial) return ['float network', percent(floatAccuracy), `${significant(device.float.latency_ms)} ms, ${significant(device.float.energy_mj)} mJ`, bytes(run.float.packed_bytes)];
  const {metrics, id, agent} = point.trial;
  return [`trial ${id} by ${agent}`, `${percent(metrics.accuracy)} (${points(metrics.accuracy - floatAccuracy, true)} points)`,
    `${significant(metrics['latency_ms@' + device.name])} ms (${(device.float.latency_ms / metrics['latency_ms@' + device.name]).toFixed(2)}×)`,
    `${significant(metrics['energy_mj@' + device.name])} mJ`, bytes(metrics.packed_bytes)];
}

function volumeConfig(device) {
  const quiet = css('--quiet');
  const series = (values, label, colour, width) => ({label, data: values.map((y, i) => ({x: i + 1, y})), borderColor: colour, borderWidth: width, pointRadius: 0, stepped: true, pointHitRadius: 4});
  const datasets = [series(device.hypervolume.total, 'all together', css('--strong'), 2)];
  for (const agent of run.agents) if (device.hypervolume.agents[agent.name]) datasets.push(series(device.hypervolume.agents[agent.name], agent.name + ' alone', colours[agent.name], 1.5));
  return {
    type: 'line', data: {datasets},
    options: {
      animation: false, maintainAspectRatio: false, responsive: true, interaction: {mode: 'index', intersect: false},
      scales: {
        x: {type: 'linear', min: 0, max: device.hypervolume.total.length, title: {display: true, text: 'trials', color: quiet}, grid: {color: css('--grid')}, ticks: {color: quiet, precision: 0}},
        y: {min: 0, title: {display: true, text: 'share of the reference box', color: quiet}, grid: {color: css('--grid')}, ticks: {color: quiet}},
      },
      plugins: {legend: {display: false}, tooltip: {callbacks: {title: items => `after ${items[0].parsed.x} trials`, label: item => `${item.dataset.label}: ${item.parsed.y.toFixed(4)}`}}},
    },
  };
}

function drawDevices() {
  $('devices').replaceChildren();
  charts.splice(0).forEach(chart => chart.destroy());
  for (const device of run.devices) {
    const pareto = element('canvas'), volume = element('canvas');
    const hidden = run.trials.filter(trial => !trial.error && trial.metrics.accuracy < floatAccuracy - 0.22).length;
    const failed = run.trials.filter(trial => trial.error).length;
    const notes = [`${device.front.length} of ${run.trials.length} trials on the front`];
    if (hidden) notes.push(`${hidden} lie below the plot`);
    if (failed) notes.push(`${failed} failed`);
    const stopped = run.trials.filter(trial => trial.stopped).length;
    if (stopped) notes.push(`${stopped} stopped after some of the rows`);
    $('devices').append(element('div', {class: 'card device-card'},
      element('div', {class: 'head'}, element('h3', {}, device.title), element('span', {class: 'quiet'}, notes.join(' · '))),
      element('div', {}, element('p', {class: 'plot-title'}, `${run.metric} against ${axis.title.toLowerCase()}`), element('div', {class: 'plot'}, pareto)),
      element('div', {}, element('p', {class: 'plot-title'}, 'hypervolume over trials'), element('div', {class: 'plot'}, volume))));
    charts.push(new Chart(pareto, paretoConfig(device)), new Chart(volume, volumeConfig(device)));
  }
}

// ---- one policy, layer by layer
function meter(share, text, colour) {
  const fill = element('div', {style: `width:${Math.max(0, Math.min(100, 100 * share)).toFixed(1)}%;background:var(${colour})`});
  return element('div', {class: 'meter'}, element('div', {class: 'track'}, fill), element('span', {}, text));
}

function layersOf(trial) {
  const bits = run.layers.map(() => ({}));
  const kept = run.groups.map(group => group.channels);
  run.decisions.forEach((decision, i) => {
    const value = decision.values[trial.choices[i]];
    if (decision.kind === 'channels') kept[decision.subject] = value;
    else if (decision.kind === 'kept_block') { if (value === 0) run.blocks[decision.subject].layers.forEach(layer => { bits[layer].removed = true; }); }
    else bits[decision.subject][decision.kind] = value;
  });
  return run.layers.map((layer, i) => {
    const group = run.groups.findIndex(candidate => candidate.producers.includes(layer.name));
    const weight = bits[i].weight_bits;
    const keptWeights = bits[i].kept_weights === undefined ? 1 : bits[i].kept_weights / 1000;
    const rank = bits[i].rank === undefined ? 1 : bits[i].rank / 1000;
    return {...layer, weight, keptWeights, rank, removed: bits[i].removed === true, activation: bits[i].activation_bits === undefined ? weight : bits[i].activation_bits,
      kept: group < 0 ? null : kept[group], channels: group < 0 ? null : run.groups[group].channels};
  });
}

function select(trial, device) {
  if (!trial) return;
  selected = trial;
  const section = $('policy');
  const scale = bits => bits === undefined ? 0 : Math.log2(bits) / 5;
  const width = bits => bits === undefined ? 'kept' : bits === 32 ? 'float 32' : bits + ' bit';
  const fact = (name, value) => element('span', {}, element('span', {class: 'quiet'}, name + ' '), value);
  const numbers = element('div', {class: 'numbers'}, fact(run.metric, `${percent(trial.metrics.accuracy)} (${points(trial.metrics.accuracy - floatAccuracy, true)})`),
    fact('packed', bytes(trial.metrics.packed_bytes)));
  for (const each of run.devices) {
    const latency = trial.metrics['latency_ms@' + each.name];
    numbers.append(fact(each.name, latency === null ? 'does not fit' : `${significant(latency)} ms (${(each.float.latency_ms / latency).toFixed(2)}×)`));
  }
  const grid = element('div', {class: 'layers'});
  for (const title of ['layer', 'share of MACs', 'channels kept', 'weights', 'activations']) grid.append(element('div', {class: 'title'}, title));
  const total = run.layers.reduce((sum, layer) => sum + layer.macs, 0) || 1;
  for (const layer of layersOf(trial)) {
    if (layer.removed) {
      const gone = () => element('span', {class: 'quiet'}, 'gone with its block');
      grid.append(element('div', {class: 'name'}, layer.name), meter(layer.macs / total, percent(layer.macs / total, 0), '--macs'), gone(), gone(), gone());
      continue;
    }
    grid.append(element('div', {class: 'name', title: `${layer.op}, ${count(layer.macs)} MACs, ${count(layer.parameters)} parameters`}, layer.name),
      meter(layer.macs / total, percent(layer.macs / total, 0), '--macs'),
      layer.kept === null ? element('span', {class: 'quiet'}, 'not pruned') : meter(layer.kept / layer.channels, `${layer.kept} / ${layer.channels}`, '--kept'),
      meter(scale(layer.weight) * layer.keptWeights, width(layer.weight) + (layer.keptWeights < 1 ? `, ${percent(layer.keptWeights, 0)} of them` : '') + (layer.rank < 1 ? `, rank ${percent(layer.rank, 0)}` : ''), '--weights'), meter(scale(layer.activation), width(layer.activation), '--activations'));
  }
  section.replaceChildren(element('div', {class: 'policy-head'}, element('h3', {}, `Trial ${trial.id}, found by ${trial.agent}`), numbers), grid);
  drawDevices();
}

function drawAgents() {
  const table = $('agents');
  table.append(row('th', ['agent', 'kind', 'trials', 'failed', ...run.devices.map(device => `on the front of ${device.name}`), ...run.devices.map(device => `hypervolume alone, ${device.name}`)]));
  const last = values => values && values.length ? values[values.length - 1] : 0;
  for (const agent of run.agents) {
    const name = element('td', {}, element('i', {style: `display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px;background:${colours[agent.name]}`}), agent.name);
    table.append(row('td', [name, agent.kind, String(agent.trials), String(agent.failed),
      ...run.devices.map(device => { const own = device.front_by_agent[agent.name] || 0; return `${own} of ${device.front.length} (${device.front.length ? Math.round(100 * own / device.front.length) : 0} %)`; }),
      ...run.devices.map(device => last(device.hypervolume.agents[agent.name]).toFixed(3))]));
  }
  table.append(row('td', ['all together', '', String(run.trials.length), String(run.trials.filter(trial => trial.error).length),
    ...run.devices.map(device => String(device.front.length)), ...run.devices.map(device => last(device.hypervolume.total).toFixed(3))], {class: 'best'}));
}

function drawRun() {
  const seconds = run.trials.reduce((sum, trial) => sum + trial.seconds, 0);
  const facts = [['Lathe', run.lathe], ['config', run.config], ['seed', run.seed], ['model', `${run.model.name} · sha256 ${run.model.sha256}`], ['data', [run.data, run.data_note].filter(Boolean).join(' · ')],
    ['objectives', run.objectives.join(', ')], ['search space', `${run.decisions.length} decisions over ${run.layers.length} layers and ${run.groups.length} groups of channels`],
    ['measuring', `${run.trials.length} trials in ${significant(seconds)} processor seconds; proposals dropped before: ${run.duplicates} known already, ${run.rejected} beyond a limit`]];
  for (const [name, value] of facts) if (value !== '' && value !== undefined) $('run').append(element('dt', {}, name), element('dd', {}, String(value)));
  $('config').textContent = data.config_text;
}

function redraw() {
  for (const choice of axes) choice.button.className = choice === axis ? 'on' : '';
  drawDevices();
}

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
drawHead();
drawSummary();
drawLegend();
drawAgents();
drawRun();
redraw();
const first = run.policies.find(policy => policy.recommended) || run.policies[0];
select(trialById.get(first ? first.trial : (run.devices[0] && run.devices[0].front[0])), run.devices[0]);
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
