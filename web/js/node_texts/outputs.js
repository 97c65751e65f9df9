/** The texts of a node, as {kind, text}: "warning", "result" or "note". */

import { app } from "../../../../scripts/app.js";
import { locator } from "../page/nodes.js";
import { everyNode } from "./graph.js";

export const MESSAGES = "appearance_transfer_messages";
const OURS = "AppearanceTransfer_";
export const WARNING = "warning";

/** Warnings, then what the node found, then notes; of a node that holds others, what those have said. */
export function textsOf(node) {
  const messages = node.subgraph ? saidInside(node.subgraph) : messagesOf(node);
  return [...messages.filter(isWarning), ...resultsOf(node), ...messages.filter((message) => !isWarning(message))];
}

/** Of the outputs of all nodes, by the page's name for each, the texts alone. */
export function textOutputs(outputs) {
  const found = Object.entries(outputs).map(([name, { text, [MESSAGES]: messages }]) => [name, { text, [MESSAGES]: messages }]);
  return Object.fromEntries(found.filter(([, { text, [MESSAGES]: messages }]) => text || messages));
}

function saidInside(graph) {
  return [...everyNode(graph)].flatMap((node) =>
    messagesOf(node).map(({ kind, text }) => ({ kind, text: text.startsWith(node.title) ? text : `${node.title}: ${text}` })),
  );
}

function messagesOf(node) {
  return outputOf(node)?.[MESSAGES]?.list ?? [];
}

function resultsOf(node) {
  if (!node.comfyClass?.startsWith(OURS)) return [];
  const found = outputOf(node)?.text ?? [];
  return [found].flat().map((text) => ({ kind: "result", text }));
}

function outputOf(node) {
  return app.nodeOutputs?.[locator(node)];
}

function isWarning({ kind }) {
  return kind === WARNING;
}
