"""Read each book format (Docusaurus, mdBook, Markdown, HTML, EPUB, PDF) into pages and sections."""
