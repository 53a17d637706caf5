// The viewer in the page: what it asks goes to the server (camdemo/ui/viewer.py). Gradio runs this with
// the element, the server's functions, and a way to send a file.

const NO_ANSWER = { error: "The server does not answer. Is it still running?" };
const ask = (name) => async (question = {}) => {
  try {
    return (await server[name](question)) ?? NO_ANSWER; // of a request that failed Gradio gives nothing
  } catch {
    return NO_ANSWER;
  }
};
mountViewer(element, {
  start: ask("page_start"),
  open: ask("scene_open"),
  waiting: ask("page_waiting"),
  download: ask("model_download"),
  downloadState: ask("model_download_state"),
  cancelDownload: ask("model_download_cancel"),
  maps: ask("scene_maps"),
  pixel: ask("scene_pixel"),
  pixelState: ask("scene_pixel_state"),
  cancelPixel: ask("scene_pixel_cancel"),
  hide: ask("scene_hide"),
  hideElsewhere: ask("scene_hide_elsewhere"),
  look: ask("scene_look"),
  live: ask("scene_live"),
  tested: true,
  scores: ask("scene_scores"),
  curves: ask("scene_curves"),
  randomised: ask("scene_randomised"),
  completeness: ask("scene_completeness"),
  page: ask("scene_page"),
  labels: ask("scene_labels"),
  upload: async (file) => {
    try {
      return await upload(file);
    } catch ({ message }) {
      // Of a lost connection Gradio tells what helps nobody; of a large file, how large it may be.
      return /errored out/.test(message) ? NO_ANSWER : { error: `The photo can't be sent: ${message}.` };
    }
  },
});
