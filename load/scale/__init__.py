"""What a deployment far larger than any that was measured needs: arithmetic on measured costs, and simulations."""
