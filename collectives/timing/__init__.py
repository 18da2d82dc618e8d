"""How long a schedule takes on a fabric."""
