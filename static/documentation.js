// Shows the API's document with the viewer that the page has loaded.
"use strict";

const place = document.getElementById("api");
const address = place.dataset.document;

if (window.SwaggerUIBundle) {
  window.SwaggerUIBundle({ url: address, domNode: place, deepLinking: true, validatorUrl: null });
} else {
  window.Redoc.init(address, { hideDownloadButton: false, disableSearch: true }, place);
}
