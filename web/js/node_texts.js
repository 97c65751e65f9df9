/**
 * Texts on nodes: what our nodes found, and what the pack says while any node runs, warnings first.
 *
 * ComfyUI's page draws the `ui.text` of nodes of its own only. It keeps what nodes put out per workflow tab, so messages
 * are put there, too; after a change of the tab or an undo the texts are drawn from there again.
 */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { everyNode, nodesAlong } from "./node_texts/graph.js";
import { MESSAGES, WARNING, textsOf } from "./node_texts/outputs.js";
import { showOn } from "./node_texts/panel.js";
import { keepOverReload, restore } from "./node_texts/reload.js";
import { addStyles } from "./page/nodes.js";

const EVENT = "appearance_transfer.messages"; // of host/runtime/progress_text.py
const RUNNING = "running";

const said = new Map(); // in this prompt, by the execution id of each node that has begun
const spoken = new Set(); // the ids of all that have ever said something
let prompt = null;

app.registerExtension({
  name: "AppearanceTransfer.NodeTexts",

  init() {
    addStyles("../node_texts/style.css");
    keepOverReload();
    api.addEventListener(EVENT, ({ detail }) => hear(detail));
    api.addEventListener("progress_state", ({ detail }) => begin(detail));
    api.addEventListener("executed", ({ detail }) => queueMicrotask(() => end(detail))); // after the page's listeners
  },

  afterConfigureGraph() {
    restore();
    showAll();
  },

  onNodeOutputsUpdated: showAll,
});

/** A node has said something: `messages` is all that it has said in this run. */
function hear({ prompt_id, node, display_node, messages }) {
  const shown = String(display_node ?? node);
  const before = said.get(shown)?.length ?? 0;
  for (const message of messages.slice(before)) if (message.kind === WARNING) showInside(shown, message.text);
  keep(prompt_id, shown, messages);
}

/** Put messages among what their node put out; the page knows the tab that queued the prompt. */
function keep(prompt_id, node, messages) {
  said.set(node, messages);
  spoken.add(node);
  const output = { [MESSAGES]: { list: messages } }; // no array: the page would append it to the one before
  api.dispatchCustomEvent("executed", { prompt_id, node, display_node: node, output, merge: true });
}

/** A node that begins to run has not said anything yet, whatever it said in an earlier run. */
function begin({ prompt_id, nodes }) {
  if (prompt_id !== prompt) said.clear();
  prompt = prompt_id;
  for (const { state, node_id, display_node_id } of Object.values(nodes)) {
    const shown = String(display_node_id ?? node_id);
    if (state !== RUNNING || said.has(shown)) continue;
    said.set(shown, []);
    if (spoken.has(shown)) keep(prompt_id, shown, []);
  }
}

/** What a node put out has come, and has replaced what it had said before. */
function end({ prompt_id, node, display_node, output }) {
  const shown = String(display_node ?? node);
  const messages = said.get(shown);
  if (messages?.length && output && !(MESSAGES in output)) keep(prompt_id, shown, messages);
  for (const along of nodesAlong(app.rootGraph, shown)) showOn(along, textsOf(along));
}

/** A warning in a subgraph that is closed is shown over the page until somebody closes it. */
function showInside(node, text) {
  const along = nodesAlong(app.rootGraph, node);
  if (along.length < 2 || along.at(-1).graph === app.canvas.graph) return;
  app.extensionManager.toast.add({ severity: "warn", summary: along.map(({ title }) => title).join(" / "), detail: text });
}

function showAll() {
  for (const node of everyNode(app.rootGraph)) showOn(node, textsOf(node));
}
