/** Point pairs on Match Features: see a match by a click, correct it by dragging. The node's two texts keep them. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { APPEARANCE, Matches, STRUCTURE } from "./point_pairs/matches.js";
import { parsePoints, pointsText } from "./point_pairs/points_text.js";
import { PointPairs } from "./point_pairs/view.js";
import { fetchWords } from "./point_pairs/words.js";

const NODE = "AppearanceTransfer_MatchFeatures";
const TEXTS = { [STRUCTURE]: "structure_points", [APPEARANCE]: "appearance_points" };
const IMAGES = ["structure_image", "appearance_image"];
const RADIUS = "radius";
const WIDTH = 400; // of a new node; a workflow keeps its own

app.registerExtension({
  name: "AppearanceTransfer.PointPairs",

  async init() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./point_pairs/style.css", import.meta.url).href;
    document.head.append(style);
    await fetchWords();
  },

  nodeCreated(node) {
    if (node.comfyClass === NODE) equip(node);
  },
});

/** Give a node its point pairs, and let them follow its texts, its connections and its runs. */
function equip(node) {
  const texts = { [STRUCTURE]: widgetOf(node, TEXTS[STRUCTURE]), [APPEARANCE]: widgetOf(node, TEXTS[APPEARANCE]) };
  const radius = widgetOf(node, RADIUS);
  let writing = false; // one text is ahead of the other
  const load = () => {
    if (!writing) pointPairs.load({ radius: radius.value, ...pairsIn(texts), ...obstacle(node) });
  };
  const pointPairs = new PointPairs((pairs) => {
    app.canvas.emitBeforeChange(); // both texts are one step of the page's own undo
    writing = true;
    for (const [side, text] of Object.entries(texts)) text.value = pointsText(pairs.map((pair) => pair[side]));
    writing = false;
    app.canvas.emitAfterChange();
    load();
  });
  const show = shower(pointPairs);
  const widget = node.addDOMWidget("point_pairs", "POINT_PAIRS", pointPairs.element, {
    serialize: false,
    getMinHeight: () => pointPairs.height(node.size[0] - 2 * widget.margin) + 2 * widget.margin,
    onDraw: () => show(app.nodeOutputs[locator(node)]), // also after undo and a change of tabs, which run nothing
  });
  pointPairs.element.addEventListener("wheel", (event) => app.canvas.processMouseWheel(event)); // zooms as around it
  widget.serialize = false; // neither in the prompt (the option) nor in the workflow
  for (const source of [...Object.values(texts), radius]) after(source, "callback", load);
  after(node, "onConfigure", load);
  after(node, "onConnectionsChange", load);
  after(node, "onExecuted", show);
  node.setSize([Math.max(node.size[0], WIDTH), node.size[1]]);
  load();
}

function widgetOf(node, name) {
  return node.widgets.find((widget) => widget.name === name);
}

/** The pairs that two texts hold, or the sentence for why there are none. */
function pairsIn(texts) {
  try {
    const [ours, theirs] = [STRUCTURE, APPEARANCE].map((side) => parsePoints(texts[side].value));
    if (ours.length !== theirs.length) return { pairs: [], problem: "unreadable" };
    return { pairs: ours.map((point, index) => ({ [STRUCTURE]: point, [APPEARANCE]: theirs[index] })), problem: null };
  } catch (error) {
    if (error instanceof RangeError) return { pairs: [], problem: "unreadable" };
    throw error;
  }
}

/** The sentence for what of a node's inputs stands in the way, if something does. */
function obstacle(node) {
  const linked = (name) => node.inputs.some((input) => input.name === name && input.link != null);
  if (Object.values(TEXTS).some(linked)) return { problem: "linked" };
  return IMAGES.every(linked) ? {} : { problem: "connect" };
}

/** A function that shows the output of a run, if it is not shown already and its files are still there. */
function shower(pointPairs) {
  let latest = null;
  return async (output) => {
    const run = output?.point_pairs?.[0];
    if (!run || run.matches.filename === latest) return;
    latest = run.matches.filename;
    const response = await api.fetchApi(address(run.matches));
    if (!response.ok) return;
    const table = await response.json();
    if (run.matches.filename !== latest) return; // another run has come in the meantime
    const image = (side) => [side, api.apiURL(address(run[side]))];
    pointPairs.show(new Matches(table), Object.fromEntries([STRUCTURE, APPEARANCE].map(image)));
    app.canvas.setDirty(true, true);
  };
}

function address({ filename, subfolder, type }) {
  return `/view?${new URLSearchParams({ filename, subfolder, type })}`;
}

/** The name under which the page keeps what a node put out. */
function locator({ graph, id }) {
  return !graph || graph.isRootGraph ? String(id) : `${graph.id}:${id}`;
}

function after(object, name, action) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    action(...given);
    return result;
  };
}
