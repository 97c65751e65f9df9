/** Nodes as the page has them: their widgets, their links, what they put out. */

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

/** Let style sheets of ours hold, each once, by their paths from this folder. */
export function addStyles(...paths) {
  for (const path of paths) {
    const { href } = new URL(path, import.meta.url);
    if ([...document.styleSheets].some((sheet) => sheet.href === href)) continue;
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = href;
    document.head.append(style);
  }
}

export function widgetOf(node, name) {
  return node.widgets.find((widget) => widget.name === name);
}

/** Whether something is connected to an input. */
export function isLinked(node, name) {
  return node.inputs.some((input) => input.name === name && input.link != null);
}

/** The name under which the page keeps what a node put out. */
export function locator({ graph, id }) {
  return !graph || graph.isRootGraph ? String(id) : `${graph.id}:${id}`;
}

/** The address of a file that a node has written. */
export function address({ filename, subfolder, type }) {
  return `/view?${new URLSearchParams({ filename, subfolder, type })}`;
}

/** Call `action` after a method, or a callback, of an object. */
export function after(object, name, action) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    action(...given);
    return result;
  };
}

/** Set texts of a node; all of them are one step of the page's own undo. */
export function write(texts) {
  app.canvas.emitBeforeChange();
  for (const [widget, text] of texts) widget.value = text;
  app.canvas.emitAfterChange();
}

/** A widget of ours that is kept neither in the workflow nor in the prompt. `height(width)` is what it needs. */
export function addPanel(node, name, element, height, onDraw) {
  const widget = node.addDOMWidget(name, name.toUpperCase(), element, {
    serialize: false,
    getMinHeight: () => height(node.size[0] - 2 * widget.margin) + 2 * widget.margin,
    onDraw,
  });
  element.addEventListener("wheel", (event) => app.canvas.processMouseWheel(event)); // zooms as around it
  widget.serialize = false; // the option keeps it out of the prompt, this out of the workflow
}

/** Ask one of our routes: its answer, or {error: a sentence}. */
export async function ask(route, question) {
  const about = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
  const response = await api.fetchApi(`/appearance_transfer/${route}`, about);
  const json = response.headers.get("Content-Type")?.startsWith("application/json");
  return json ? response.json() : { error: `${response.status} ${response.statusText}` };
}
