"""How well `gpu-qa compare` places copies of a programme, and whether other content is called so."""
