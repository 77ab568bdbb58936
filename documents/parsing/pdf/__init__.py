"""PDF: characters and boxes by PDFium, put into lines, columns, tables and headings."""
