import sea

# begin
def turn(lamp):
    lamp.turn()
# end
turn(sea.lamp)
