/** Point pairs on Match Features: see a match by a click, correct it by dragging. The node's two texts keep them. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { Newest } from "./page/newest.js";
import { addPanel, addStyles, address, after, ask, isLinked, locator, widgetOf, write } from "./page/nodes.js";
import { fetchWords } from "./page/words.js";
import { APPEARANCE, Matches, STRUCTURE } from "./point_pairs/matches.js";
import { parsePoints, pointsText } from "./point_pairs/points_text.js";
import { PointPairs } from "./point_pairs/view.js";

const NODE = "AppearanceTransfer_MatchFeatures";
const TEXTS = { [STRUCTURE]: "structure_points", [APPEARANCE]: "appearance_points" };
const IMAGES = ["structure_image", "appearance_image"];
const RADIUS = "radius";
const WIDTH = 400; // of a new node; a workflow keeps its own
const SIDES = [STRUCTURE, APPEARANCE];

app.registerExtension({
  name: "AppearanceTransfer.PointPairs",

  async init() {
    addStyles("./style.css", "../point_pairs/style.css");
    await fetchWords();
  },

  nodeCreated(node) {
    if (node.comfyClass === NODE) equip(node);
  },
});

/** Give a node its point pairs, and let them follow its texts, its connections and its runs. */
function equip(node) {
  const texts = Object.fromEntries(SIDES.map((side) => [side, widgetOf(node, TEXTS[side])]));
  const radius = widgetOf(node, RADIUS);
  let writing = false; // one text is ahead of the other
  const load = () => {
    if (writing) return;
    pointPairs.load({ radius: radius.value, ...pairsIn(texts), ...obstacle(node) });
    field.bend((side) => texts[side].value, radius.value);
  };
  const changed = (pairs) => {
    writing = true;
    write(SIDES.map((side) => [texts[side], textOf(pairs, side)]));
    writing = false;
    load();
  };
  const moving = (pairs) => field.bend((side) => textOf(pairs, side), radius.value);
  const pointPairs = new PointPairs(changed, moving);
  const field = new Field(pointPairs);
  const show = shower(pointPairs, (run) => {
    field.file = run.field?.filename ?? null;
    load();
  });
  const draw = () => show(app.nodeOutputs[locator(node)]); // also after undo and a change of tabs, which run nothing
  addPanel(node, "point_pairs", pointPairs.element, (width) => pointPairs.height(width), draw);
  for (const source of [...Object.values(texts), radius]) after(source, "callback", load);
  after(node, "onConfigure", load);
  after(node, "onConnectionsChange", load);
  after(node, "onExecuted", show);
  node.setSize([Math.max(node.size[0], WIDTH), node.size[1]]);
  load();
}

/** The field of the node's last run, which ComfyUI bends to points on the page. `file`: what it needs, or null. */
class Field {
  file = null;
  #questions = new Newest(
    (question) => ask("field", question),
    (answer, question) => this.#answered(answer, question),
  );

  constructor(pointPairs) {
    this.pointPairs = pointPairs;
  }

  /** `text(side)` gives the points of a side. */
  bend(text, radius) {
    if (this.file === null) return;
    const points = Object.fromEntries(SIDES.map((side) => [TEXTS[side], text(side)]));
    this.#questions.put({ file: this.file, radius, ...points });
  }

  #answered({ matches, ...others }, { file }) {
    if (file !== this.file) return; // another run has come in the meantime
    this.pointPairs.bend({ ...others, ...(matches && { matches: new Matches(matches) }) });
  }
}

/** The pairs that two texts hold, or the sentence for why there are none. */
function pairsIn(texts) {
  try {
    const [ours, theirs] = SIDES.map((side) => parsePoints(texts[side].value));
    if (ours.length !== theirs.length) return { pairs: [], problem: "unreadable" };
    return { pairs: ours.map((point, index) => ({ [STRUCTURE]: point, [APPEARANCE]: theirs[index] })), problem: null };
  } catch (error) {
    if (error instanceof RangeError) return { pairs: [], problem: "unreadable" };
    throw error;
  }
}

function textOf(pairs, side) {
  return pointsText(pairs.map((pair) => pair[side]));
}

/** The sentence for what of a node's inputs stands in the way, if something does. */
function obstacle(node) {
  if (Object.values(TEXTS).some((name) => isLinked(node, name))) return { problem: "linked" };
  return IMAGES.every((name) => isLinked(node, name)) ? {} : { problem: "connect" };
}

/** A function that shows the output of a run, if it is not shown already and its files are still there. */
function shower(pointPairs, shown) {
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
    pointPairs.show(new Matches(table), Object.fromEntries(SIDES.map(image)));
    shown(run);
    app.canvas.setDirty(true, true);
  };
}
