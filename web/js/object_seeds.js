/** The object on Find Object: its outline over the image, corrected by clicks. The node's two texts keep the points. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { BACKGROUND, LABELS, OBJECT } from "./object_seeds/seeds.js";
import { ObjectSeeds } from "./object_seeds/view.js";
import { Newest } from "./page/newest.js";
import { addPanel, addStyles, address, after, ask, isLinked, locator, widgetOf, write } from "./page/nodes.js";
import { fetchWords } from "./page/words.js";
import { parsePoints, pointsText } from "./point_pairs/points_text.js";

const NODE = "AppearanceTransfer_FindObject";
const TEXTS = { [OBJECT]: "object_points", [BACKGROUND]: "background_points" };
const WIDTH = 320; // of a new node; a workflow keeps its own

app.registerExtension({
  name: "AppearanceTransfer.ObjectSeeds",

  async init() {
    addStyles("./style.css", "../object_seeds/style.css");
    await fetchWords();
  },

  nodeCreated(node) {
    if (node.comfyClass === NODE) equip(node);
  },
});

/** Give a node its object, and let it follow the node's texts, connections and runs. */
function equip(node) {
  const texts = Object.fromEntries(LABELS.map((label) => [label, widgetOf(node, TEXTS[label])]));
  let run = null; // what the node said of its last one
  const questions = new Newest(
    (question) => ask("object", question),
    (answer, { file }) => {
      if (file === run.evidence.filename) view.found(answer); // else another run has come in the meantime
    },
  );
  const find = (points) => run && questions.put({ file: run.evidence.filename, ...points });
  const load = () => {
    view.load({ ...seedsIn(texts), ...obstacle(node) });
    find(Object.fromEntries(LABELS.map((label) => [TEXTS[label], texts[label].value])));
  };
  let writing = false; // one text is ahead of the other
  const changed = (seeds) => {
    writing = true;
    write(LABELS.map((label) => [texts[label], textOf(seeds, label)]));
    writing = false;
    load();
  };
  const moving = (seeds) => find(Object.fromEntries(LABELS.map((label) => [TEXTS[label], textOf(seeds, label)])));
  const view = new ObjectSeeds(changed, moving);
  const show = (output) => {
    const latest = output?.found_object?.[0];
    if (!latest || latest.image.filename === run?.image.filename) return;
    run = latest;
    view.show(api.apiURL(address(run.image)), run);
    load();
    app.canvas.setDirty(true, true);
  };
  const draw = () => show(app.nodeOutputs[locator(node)]); // also after undo and a change of tabs, which run nothing
  addPanel(node, "object_seeds", view.element, (width) => view.height(width), draw);
  for (const text of Object.values(texts)) after(text, "callback", () => writing || load());
  after(node, "onConfigure", load);
  after(node, "onConnectionsChange", load);
  after(node, "onExecuted", show);
  node.setSize([Math.max(node.size[0], WIDTH), node.size[1]]);
  load();
}

/** The seeds that the texts hold, or the sentence for why there are none. */
function seedsIn(texts) {
  try {
    const seeds = LABELS.flatMap((label) => parsePoints(texts[label].value).map((point) => ({ ...point, label })));
    return { seeds, problem: null };
  } catch (error) {
    if (error instanceof RangeError) return { seeds: [], problem: "unreadable" };
    throw error;
  }
}

/** The sentence for what of a node's inputs stands in the way, if something does. */
function obstacle(node) {
  return Object.values(TEXTS).some((name) => isLinked(node, name)) ? { problem: "linked" } : {};
}

function textOf(seeds, label) {
  return pointsText(seeds.filter((seed) => seed.label === label));
}
