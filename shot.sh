f=$1; n=$2
for w in 1280 390; do for m in light dark; do
dark=""; [ $m = dark ] && dark="--blink-settings=preferredColorScheme=0"; [ $m = light ] && dark="--blink-settings=preferredColorScheme=1"
timeout 60 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars $dark --window-size=$w,${3:-3600} --screenshot=$n-$w-$m.png file://$f >/dev/null 2>&1
done; done; ls -la $n-*.png
