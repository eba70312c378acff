// What can be asked for over REST, as /openapi.json tells it; and a way to try it.

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#requests",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  persistAuthorization: false, // a token is kept nowhere but in the page
  validatorUrl: null, // nobody else is asked about the document
});
