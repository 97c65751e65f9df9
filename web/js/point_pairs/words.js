/** The sentences of the point pairs in the page's language, from locales/<language>/main.json. */

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

let languages = {};

/** Ask ComfyUI once for all translations. Until then, and for want of one, English or the name of the sentence. */
export async function fetchWords() {
  const response = await api.fetchApi("/i18n");
  if (response.ok) languages = await response.json();
}

/** The sentence called `name`, with {key} filled in from `values`. */
export function say(name, values = {}) {
  const locale = app.extensionManager.setting.get("Comfy.Locale") ?? "en";
  const sentence = [locale, locale.split("-")[0], "en"]
    .map((language) => languages[language]?.appearanceTransfer?.pointPairs?.[name])
    .find((found) => found !== undefined);
  return (sentence ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
