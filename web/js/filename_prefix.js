/** %date:yyyy-MM-dd% and the like in the filename_prefix of our nodes, as the page has them for ComfyUI's own. */

import { app } from "../../../scripts/app.js";
import { applyTextReplacements } from "../../../scripts/utils.js";

app.registerExtension({
  name: "AppearanceTransfer.FilenamePrefix",

  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("AppearanceTransfer_")) return;
    const prefix = node.widgets?.find((widget) => widget.name === "filename_prefix");
    if (prefix) prefix.serializeValue = () => applyTextReplacements(app, prefix.value);
  },
});
