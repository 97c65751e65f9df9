/**
 * Over a reload of the page, which keeps the workflows that are open and drops what their nodes put out: the texts are
 * kept until then in the browser's tab, by the id of each workflow.
 */

import { app } from "../../../../scripts/app.js";
import { textOutputs } from "./outputs.js";

const KEY = "appearance_transfer.node_texts";

let kept = {};

/** Read what the page before this one has kept, and keep the same of this one when it goes. */
export function keepOverReload() {
  kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  sessionStorage.removeItem(KEY);
  addEventListener("pagehide", () => sessionStorage.setItem(KEY, JSON.stringify({ ...kept, ...openTexts() })));
}

/** Give the nodes of the workflow that has been opened their texts of before the reload, once. */
export function restore() {
  const { id } = app.rootGraph;
  for (const [name, output] of Object.entries(kept[id] ?? {})) {
    app.nodeOutputs[name] = { ...output, ...app.nodeOutputs[name] };
  }
  delete kept[id];
}

/** Of copies of one workflow, which have one id, nothing: it could not be told whose the texts are. */
function openTexts() {
  const { openWorkflows, activeWorkflow } = app.extensionManager.workflow;
  const found = new Map();
  for (const workflow of openWorkflows) {
    const active = workflow === activeWorkflow;
    const id = active ? app.rootGraph.id : workflow.changeTracker?.activeState?.id;
    const outputs = (active ? app.nodeOutputs : workflow.changeTracker?.nodeOutputs) ?? {};
    found.set(id, found.has(id) ? {} : textOutputs(outputs));
  }
  return Object.fromEntries(found);
}
