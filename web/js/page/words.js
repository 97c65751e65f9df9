/** The sentences of our modules in the page's language, from locales/<language>/main.json. */

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

let languages = null;

/** Ask ComfyUI once for all translations. Until then, and for want of one, English or the name of the sentence. */
export function fetchWords() {
  languages ??= api.fetchApi("/i18n").then(async (response) => {
    languages = response.ok ? await response.json() : {};
  });
  return languages;
}

/** A function of a sentence's name in a section, and of the {values} that are filled into it. */
export function sayer(section) {
  return (name, values = {}) => {
    const locale = app.extensionManager.setting.get("Comfy.Locale") ?? "en";
    const sentence = [locale, locale.split("-")[0], "en"]
      .map((language) => languages?.[language]?.appearanceTransfer?.[section]?.[name])
      .find((found) => found !== undefined);
    return (sentence ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  };
}
