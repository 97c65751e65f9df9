/**
 * What locales/ cannot translate: the choices of our nodes, and notes, groups and titles of our templates.
 *
 * A template keeps English texts. Where the page is in a language of web/translations, a workflow with nodes of ours is
 * opened with those of its texts translated that are still as they came; a text that a user has changed stays.
 */

import { app } from "../../../scripts/app.js";
import { translated } from "./translations/workflow.js";

const LANGUAGES = ["zh"];
const OURS = "AppearanceTransfer_";

let words = null;

app.registerExtension({
  name: "AppearanceTransfer.Translations",

  async init() {
    const language = app.ui.settings.getSettingValue("Comfy.Locale");
    if (!LANGUAGES.includes(language)) return;
    const response = await fetch(new URL(`../translations/${language}.json`, import.meta.url));
    if (response.ok) words = await response.json();
  },

  nodeCreated(node) {
    if (!words || !node.comfyClass?.startsWith(OURS)) return;
    for (const widget of node.widgets ?? []) {
      if (widget.type === "combo") widget.options.getOptionLabel = (value) => words.choices[value] ?? value ?? "";
    }
  },

  beforeConfigureGraph(workflow) {
    if (words) translated(workflow, words);
  },
});
